/** A bill of materials in SPDX 3.0.1, as JSON-LD. */
import { contentUuid, type Bill } from './bill.ts';
import { packageUrl, type Material } from './materials.ts';

const CONTEXT = 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld';
const CREATION = '_:creationInfo';

type Element = Readonly<Record<string, unknown>> & { readonly type: string; readonly spdxId: string };

/** Elements name one another by `ID#…` until the content, and so the name of the document, is known. */
const PLACE = 'ID';

export function spdx3Document(bill: Bill): string {
  const elements = elementsOf(bill);
  const named = elements.map(({ spdxId }) => spdxId);
  const graph = [
    {
      type: 'CreationInfo',
      '@id': CREATION,
      specVersion: '3.0.1',
      created: bill.created,
      createdBy: [id('builder')],
      createdUsing: [id('tool')],
    },
    element('SpdxDocument', 'document', {
      name: `${bill.manifest.name}-${bill.manifest.version}.${bill.manifest.arch}`,
      profileConformance: ['core', 'software', 'simpleLicensing'],
      rootElement: [id('sbom')],
      element: named,
    }),
    element('software_Sbom', 'sbom', {
      software_sbomType: ['build'],
      rootElement: [id('package')],
      element: named,
    }),
    ...elements,
  ];
  const text = JSON.stringify({ '@context': CONTEXT, '@graph': graph });
  const uuid = `urn:uuid:${contentUuid(text)}`;
  return `${text.replaceAll(`"${PLACE}#`, `"${uuid}#`)}\n`;
}

const id = (name: string): string => `${PLACE}#${name}`;

const element = (type: string, name: string, rest: Readonly<Record<string, unknown>>): Element => ({
  type,
  spdxId: id(name),
  creationInfo: CREATION,
  ...rest,
});

const hash = (algorithm: string, hashValue: string): unknown => ({ type: 'Hash', algorithm, hashValue });

function elementsOf(bill: Bill): Element[] {
  const { manifest, materials } = bill;
  const sources = materials.filter(({ kind }) => kind !== 'dependency');
  const dependencies = materials.filter(({ kind }) => kind === 'dependency');
  const declared = manifest.license;
  return [
    element('SoftwareAgent', 'builder', { name: 'icepkg' }),
    element('Tool', 'tool', { name: `icepkg ${bill.builderVersion}` }),
    ...(manifest.maintainer === undefined
      ? []
      : [element('Agent', 'maintainer', { name: manifest.maintainer })]),
    packageOf(bill),
    ...bill.files.map(({ path, sha1, sha256 }, index) =>
      element('software_File', `file-${index + 1}`, {
        name: `./${path}`,
        verifiedUsing: [hash('sha1', sha1), hash('sha256', sha256)],
      }),
    ),
    ...sources.map((material, index) => materialOf(material, sourceName(index))),
    ...dependencies.map((material, index) => materialOf(material, dependencyName(index))),
    ...(declared === undefined
      ? []
      : [
          element('simplelicensing_LicenseExpression', 'license', {
            simplelicensing_licenseExpression: declared,
          }),
          relation('hasDeclaredLicense', [id('license')]),
        ]),
    ...(bill.files.length === 0
      ? []
      : [
          relation(
            'contains',
            bill.files.map((_, index) => fileId(index)),
          ),
        ]),
    ...sources.map((_, index) =>
      element('Relationship', `generates-${index + 1}`, {
        relationshipType: 'generates',
        from: id(sourceName(index)),
        to: [id('package')],
      }),
    ),
    ...(dependencies.length === 0
      ? []
      : [
          relation(
            'dependsOn',
            dependencies.map((_, index) => id(dependencyName(index))),
            'build',
          ),
        ]),
  ];
}

const fileId = (index: number): string => id(`file-${index + 1}`);
const sourceName = (index: number): string => `source-${index + 1}`;
const dependencyName = (index: number): string => `build-dependency-${index + 1}`;

/** A relation of the package to others; one with a scope holds for that stage of its life only. */
function relation(relationshipType: string, others: readonly string[], scope?: 'build'): Element {
  return element(scope === undefined ? 'Relationship' : 'LifecycleScopedRelationship', relationshipType, {
    relationshipType,
    from: id('package'),
    to: others,
    completeness: 'complete',
    ...(scope === undefined ? {} : { scope }),
  });
}

function packageOf(bill: Bill): Element {
  const { manifest } = bill;
  const identifiers = [
    ...(bill.purl === undefined ? [] : [identifier('packageUrl', bill.purl)]),
    ...(bill.cpe === undefined ? [] : [identifier('cpe23', bill.cpe)]),
  ];
  return element('software_Package', 'package', {
    name: manifest.name,
    software_packageVersion: manifest.version,
    software_packageUrl: packageUrl(manifest),
    software_primaryPurpose: 'install',
    verifiedUsing: [hash('sha256', bill.sha256)],
    builtTime: bill.created,
    ...(manifest.description === undefined ? {} : { summary: manifest.description }),
    ...(manifest.url === undefined ? {} : { software_homePage: manifest.url }),
    ...(manifest.maintainer === undefined ? {} : { suppliedBy: id('maintainer') }),
    ...(identifiers.length === 0 ? {} : { externalIdentifier: identifiers }),
  });
}

const identifier = (externalIdentifierType: string, value: string): unknown => ({
  type: 'ExternalIdentifier',
  externalIdentifierType,
  identifier: value,
});

function materialOf({ kind, name, version, sha256, uri, purl }: Material, elementName: string): Element {
  const place = uri === undefined || uri.startsWith('pkg:') ? {} : { software_downloadLocation: uri };
  return element('software_Package', elementName, {
    name,
    software_primaryPurpose: kind === 'dependency' ? 'install' : 'source',
    verifiedUsing: [hash('sha256', sha256)],
    ...(version === undefined ? {} : { software_packageVersion: version }),
    ...(purl === undefined ? {} : { software_packageUrl: purl }),
    ...place,
  });
}

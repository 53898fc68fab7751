/** A bill of materials in SPDX 3.0.1, as JSON-LD. */
import type { Bill } from './bill.ts';
import { packageUrl, type Material } from './materials.ts';
import { element, hash, id, spdx3Graph, toolElements, type Element } from './spdx3-graph.ts';

export function spdx3Document(bill: Bill): string {
  const { name, version, arch } = bill.manifest;
  return spdx3Graph(elementsOf(bill), {
    name: `${name}-${version}.${arch}`,
    created: bill.created,
    root: id('package'),
    stage: 'build',
  });
}

function elementsOf(bill: Bill): Element[] {
  const { manifest, materials } = bill;
  const sources = materials.filter(({ kind }) => kind !== 'dependency');
  const dependencies = materials.filter(({ kind }) => kind === 'dependency');
  const declared = manifest.license;
  return [
    ...toolElements(bill.builderVersion),
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

/** A bill of materials in SPDX 2.3, as JSON. */
import * as crypto from 'node:crypto';
import { contentUuid, licenseRefs, type Bill } from './bill.ts';
import { packageUrl, type Material } from './materials.ts';

const NONE = 'NOASSERTION';
const DOCUMENT = 'SPDXRef-DOCUMENT';
const PACKAGE = 'SPDXRef-Package';

type Json = Readonly<Record<string, unknown>>;

export function spdx2Document(bill: Bill): string {
  const { manifest, materials } = bill;
  const sources = materials.filter(({ kind }) => kind !== 'dependency');
  const dependencies = materials.filter(({ kind }) => kind === 'dependency');
  const files = bill.files.map((file, index) => ({ id: `SPDXRef-File-${index + 1}`, ...file }));
  const relations = [
    relation(DOCUMENT, 'DESCRIBES', PACKAGE),
    ...files.map(({ id }) => relation(PACKAGE, 'CONTAINS', id)),
    ...sources.map((_, index) => relation(PACKAGE, 'GENERATED_FROM', sourceId(index))),
    ...dependencies.map((_, index) => relation(dependencyId(index), 'BUILD_DEPENDENCY_OF', PACKAGE)),
  ];
  const refs = licenseRefs(manifest.license ?? '');
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: DOCUMENT,
    name: `${manifest.name}-${manifest.version}.${manifest.arch}`,
    creationInfo: { created: bill.created, creators: [`Tool: icepkg-${bill.builderVersion}`] },
    packages: [
      packageOf(bill),
      ...sources.map((material, index) => materialOf(material, sourceId(index))),
      ...dependencies.map((material, index) => materialOf(material, dependencyId(index))),
    ],
    files: files.map(({ id, path, sha1, sha256 }) => ({
      SPDXID: id,
      fileName: `./${path}`,
      checksums: [
        { algorithm: 'SHA1', checksumValue: sha1 },
        { algorithm: 'SHA256', checksumValue: sha256 },
      ],
      licenseConcluded: NONE,
      copyrightText: NONE,
    })),
    relationships: relations,
    ...(refs.length === 0 ? {} : { hasExtractedLicensingInfos: refs.map(extracted) }),
  };
  const documentNamespace = `urn:uuid:${contentUuid(JSON.stringify(document))}`;
  return `${JSON.stringify({ ...document, documentNamespace })}\n`;
}

const sourceId = (index: number): string => `SPDXRef-Source-${index + 1}`;
const dependencyId = (index: number): string => `SPDXRef-BuildDependency-${index + 1}`;

const relation = (spdxElementId: string, relationshipType: string, relatedSpdxElement: string): Json => ({
  spdxElementId,
  relationshipType,
  relatedSpdxElement,
});

const extracted = (licenseId: string): Json => ({
  licenseId,
  extractedText: 'The text is in the package, below usr/share/licenses.',
});

function packageOf(bill: Bill): Json {
  const { manifest, files } = bill;
  const externalRefs = [
    reference('PACKAGE-MANAGER', 'purl', packageUrl(manifest)),
    ...(bill.purl === undefined ? [] : [reference('PACKAGE-MANAGER', 'purl', bill.purl)]),
    ...(bill.cpe === undefined ? [] : [reference('SECURITY', 'cpe23Type', bill.cpe)]),
  ];
  const analyzed = files.length > 0;
  return {
    SPDXID: PACKAGE,
    name: manifest.name,
    versionInfo: manifest.version,
    packageFileName: bill.file,
    downloadLocation: NONE,
    filesAnalyzed: analyzed,
    ...(analyzed
      ? {
          packageVerificationCode: {
            packageVerificationCodeValue: verificationCode(files),
          },
          licenseInfoFromFiles: [NONE],
        }
      : {}),
    checksums: [{ algorithm: 'SHA256', checksumValue: bill.sha256 }],
    ...(manifest.url === undefined ? {} : { homepage: manifest.url }),
    ...(manifest.description === undefined ? {} : { summary: manifest.description }),
    ...(manifest.maintainer === undefined ? {} : { supplier: `Person: ${agent(manifest.maintainer)}` }),
    licenseConcluded: NONE,
    licenseDeclared: manifest.license ?? NONE,
    copyrightText: NONE,
    primaryPackagePurpose: 'INSTALL',
    ...(manifest.upstreamVersion === undefined
      ? {}
      : { comment: `Upstream calls this version ${manifest.upstreamVersion}.` }),
    builtDate: bill.created,
    externalRefs,
  };
}

/** SPDX writes an address in round brackets. */
const agent = (maintainer: string): string => maintainer.replace(/<([^<>]*)>/, '($1)');

const reference = (referenceCategory: string, referenceType: string, referenceLocator: string): Json => ({
  referenceCategory,
  referenceType,
  referenceLocator,
});

function materialOf({ kind, name, version, sha256, uri, purl }: Material, id: string): Json {
  return {
    SPDXID: id,
    name,
    ...(version === undefined ? {} : { versionInfo: version }),
    ...(kind === 'source' ? { packageFileName: name } : {}),
    downloadLocation: uri === undefined || uri.startsWith('pkg:') || uri.startsWith('file:') ? NONE : uri,
    filesAnalyzed: false,
    checksums: [{ algorithm: 'SHA256', checksumValue: sha256 }],
    licenseConcluded: NONE,
    licenseDeclared: NONE,
    copyrightText: NONE,
    primaryPackagePurpose: kind === 'dependency' ? 'INSTALL' : 'SOURCE',
    ...(purl === undefined ? {} : { externalRefs: [reference('PACKAGE-MANAGER', 'purl', purl)] }),
  };
}

/** SPDX 2.3, 7.9: SHA-1 over the sorted SHA-1 digests of all files. */
const verificationCode = (files: Bill['files']): string => {
  const digests = files.map(({ sha1 }) => sha1).sort();
  return crypto.hash('sha1', digests.join(''), 'hex');
};

/** The bill of materials of an image in SPDX 3.0.1, as JSON-LD. */
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { isoTime } from '#pkgbuild/provenance/bill';
import { packageUrl } from '#pkgbuild/provenance/materials';
import { icepkgVersion } from '#pkgbuild/provenance/own-version';
import { element, hash, id, spdx3Graph, toolElements, type Element } from '#pkgbuild/provenance/spdx3-graph';
import type { ImageDescription, RootEntry } from './description.ts';
import { graphOf } from './why.ts';

/** Every regular file is contained in the packages that own it, or in the image itself. */
export function imageSpdx(description: ImageDescription): string {
  const { name, arch, key, locked, entries } = description;
  const files = entries.filter(({ type }) => type === 'file');
  const records = locked.map(({ record }) => record);
  const packageId = new Map(records.map((record, index) => [record.name, `package-${index + 1}`]));
  const licenses = [...new Set(records.flatMap(({ license }) => license ?? []))].sort();
  const graph = graphOf(description);
  const elements: Element[] = [
    ...toolElements(icepkgVersion()),
    element('software_Package', 'image', {
      name: `${name}.${arch}`,
      software_packageVersion: key.slice(0, 16),
      software_primaryPurpose: 'operatingSystem',
    }),
    ...records.map((record) =>
      element('software_Package', packageId.get(record.name) ?? '', {
        name: record.name,
        software_packageVersion: record.version,
        software_packageUrl: packageUrl(record),
        software_primaryPurpose: 'install',
        verifiedUsing: [hash('sha256', record.package.sha256)],
        ...(record.description === undefined ? {} : { summary: record.description }),
        ...(record.url === undefined ? {} : { software_homePage: record.url }),
      }),
    ),
    ...files.map(({ path: file, sha256 = '' }, index) =>
      element('software_File', fileId(index), {
        name: `./${file}`,
        verifiedUsing: [hash('sha256', sha256)],
      }),
    ),
    ...licenses.map((license, index) =>
      element('simplelicensing_LicenseExpression', licenseId(index), {
        simplelicensing_licenseExpression: license,
      }),
    ),
  ];
  const relation = (relationshipType: string, from: string, to: readonly string[]): void => {
    if (to.length > 0)
      elements.push(
        element('Relationship', `${relationshipType}-${from}`, {
          relationshipType,
          from: id(from),
          to: to.map(id),
          completeness: 'complete',
        }),
      );
  };
  const filesOf = filesByOwner(files);
  relation('contains', 'image', [...packageId.values(), ...(filesOf.get('') ?? [])]);
  for (const { name: owner, license, depends = [] } of records) {
    const from = packageId.get(owner) ?? '';
    relation('contains', from, filesOf.get(owner) ?? []);
    const needed = new Set(depends.flatMap((text) => graph.providers(text)).filter((one) => one !== owner));
    relation(
      'dependsOn',
      from,
      [...needed].sort().flatMap((one) => packageId.get(one) ?? []),
    );
    if (license !== undefined) relation('hasDeclaredLicense', from, [licenseId(licenses.indexOf(license))]);
  }
  return spdx3Graph(elements, {
    name: `${name}.${arch}`,
    created: isoTime(BUILD_EPOCH),
    root: id('image'),
    stage: 'deployed',
  });
}

const fileId = (index: number): string => `file-${index + 1}`;
const licenseId = (index: number): string => `license-${index + 1}`;

/** Ids of files by the package that owns them; those of nobody under the empty name. */
function filesByOwner(files: readonly RootEntry[]): Map<string, string[]> {
  const owned = new Map<string, string[]>();
  for (const [index, { packages }] of files.entries())
    for (const owner of packages.length === 0 ? [''] : packages)
      (owned.get(owner) ?? start(owned, owner)).push(fileId(index));
  return owned;
}

function start(owned: Map<string, string[]>, owner: string): string[] {
  const files: string[] = [];
  owned.set(owner, files);
  return files;
}

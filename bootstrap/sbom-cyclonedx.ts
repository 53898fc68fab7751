/** The bill of materials of an image in CycloneDX 1.6, as JSON. */
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { contentUuid, isoTime } from '#pkgbuild/provenance/bill';
import { packageUrl } from '#pkgbuild/provenance/materials';
import { icepkgVersion } from '#pkgbuild/provenance/own-version';
import type { ImageDescription, RootEntry } from './description.ts';
import { graphOf } from './why.ts';

type Json = Readonly<Record<string, unknown>>;

/** Packages are components with their files below them; files of no package stand beside them. */
export function imageCycloneDx(description: ImageDescription): string {
  const { name, arch, key, locked, entries } = description;
  const files = entries.filter(({ type }) => type === 'file');
  const records = locked.map(({ record }) => record);
  const refs = new Map(records.map((record) => [record.name, packageUrl(record)]));
  const graph = graphOf(description);
  const components: Json[] = records.map((record) => {
    const own = files.filter(({ packages }) => packages.includes(record.name));
    return {
      type: 'library',
      'bom-ref': packageUrl(record),
      name: record.name,
      version: record.version,
      purl: packageUrl(record),
      hashes: [sha256Of(record.package.sha256)],
      ...(record.description === undefined ? {} : { description: record.description }),
      ...(record.license === undefined ? {} : { licenses: [{ expression: record.license }] }),
      ...(record.url === undefined ? {} : { externalReferences: [{ type: 'website', url: record.url }] }),
      ...(own.length === 0 ? {} : { components: own.map((file) => fileOf(file, packageUrl(record))) }),
    };
  });
  const loose = files.filter(({ packages }) => packages.length === 0).map((file) => fileOf(file, 'image'));
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: isoTime(BUILD_EPOCH),
      tools: { components: [{ type: 'application', name: 'icepkg', version: icepkgVersion() }] },
      component: {
        type: 'operating-system',
        'bom-ref': 'image',
        name: `${name}.${arch}`,
        version: key.slice(0, 16),
      },
    },
    components: [...components, ...loose],
    dependencies: [
      { ref: 'image', dependsOn: [...refs.values()].sort() },
      ...records.map((record) => {
        const needed = (record.depends ?? []).flatMap((text) => graph.providers(text));
        const others = new Set(needed.filter((one) => one !== record.name));
        return {
          ref: packageUrl(record),
          dependsOn: [...others].flatMap((one) => refs.get(one) ?? []).sort(),
        };
      }),
    ],
  };
  const uuid = contentUuid(JSON.stringify(document));
  return `${JSON.stringify({ ...document, serialNumber: `urn:uuid:${uuid}` })}\n`;
}

const sha256Of = (content: string): Json => ({ alg: 'SHA-256', content });

const fileOf = ({ path: file, sha256 = '' }: RootEntry, owner: string): Json => ({
  type: 'file',
  'bom-ref': `${owner}#${file}`,
  name: file,
  hashes: [sha256Of(sha256)],
});

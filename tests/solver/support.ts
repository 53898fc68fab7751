/** Declares packages for the solver in a line each. */
import { createHash } from 'node:crypto';
import type { PackageRecord } from '#schema/index-shard';

type Fields = Partial<
  Pick<
    PackageRecord,
    'depends' | 'provides' | 'recommends' | 'replaces' | 'installIf' | 'providerPriority' | 'arch'
  >
>;

/** `pkg('zlib-1.3.1-r0', {depends: [...]})` */
export function pkg(text: string, fields: Fields = {}): PackageRecord {
  const match = /^(.+?)-(\d[^-]*(?:-[^r][^-]*)?-r\d+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) throw new Error(`not a package: ${text}`);
  const sha256 = createHash('sha256').update(text).digest('hex');
  return {
    name: match[1],
    version: match[2],
    arch: 'x86_64',
    ...fields,
    installedSize: 1,
    fileCount: 1,
    manifest: { size: 1, sha256 },
    package: { path: `packages/${text}`, size: 1, sha256, headerSize: 1 },
  };
}

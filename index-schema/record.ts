/** What an index and the store keep of a package: its manifest without the files, and the digests that pin it. */
import type { PackageHeader } from './container/read.ts';
import type { PackageRecord } from './index-shard.ts';
import type { Manifest } from './manifest.ts';

/** Where a package's bytes are: `path` is relative to the base URL of its repository. */
export interface PackageLocation {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export function recordOf(header: PackageHeader, { path, size, sha256 }: PackageLocation): PackageRecord {
  const {
    format: _,
    files,
    frames,
    users,
    groups,
    alternatives,
    services,
    scripts,
    ...metadata
  } = header.manifest;
  void [frames, users, groups, alternatives, services, scripts];
  return {
    ...metadata,
    fileCount: files.length,
    manifest: { size: header.manifestBytes.length, sha256: header.manifestSha256 },
    package: { path, size, sha256, headerSize: header.headerSize },
  };
}

/** `NAME-VERSION-rN.ARCH.icepkg`, the file name every package carries. */
export function packageFileName(of: Pick<Manifest, 'name' | 'version' | 'arch'>): string {
  return `${of.name}-${of.version}.${of.arch}.icepkg`;
}

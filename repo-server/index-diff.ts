/** What differs between two indexes: a pure function of their records. */
import type { PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';
import { compareVersions, parseVersion } from '#schema/version';

export interface PackageName {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
}

export interface VersionChange {
  readonly name: string;
  readonly arch: string;
  /** The newest version before and after; equal where only older ones came or went. */
  readonly from: string;
  readonly to: string;
}

export interface IndexDiff {
  readonly added: readonly PackageName[];
  readonly removed: readonly PackageName[];
  readonly upgraded: readonly VersionChange[];
  readonly downgraded: readonly VersionChange[];
  /** Bytes of package files that only the newer index names. */
  readonly newBytes: number;
}

type Records = ReadonlyMap<string, PackageRecord>;

/** @param before records by path; what `after` has of other content under the same path counts as new */
export function diffIndexes(before: Records, after: Records): IndexDiff {
  const [old, young] = [versionsByPackage(before), versionsByPackage(after)];
  const added: PackageName[] = [];
  const removed: PackageName[] = [];
  const upgraded: VersionChange[] = [];
  const downgraded: VersionChange[] = [];
  for (const key of [...new Set([...old.keys(), ...young.keys()])].sort(comparePaths)) {
    const [name = '', arch = ''] = key.split(' ');
    const [from = [], to = []] = [old.get(key), young.get(key)];
    const [oldest, newest] = [from.at(-1), to.at(-1)];
    if (oldest === undefined) added.push(...to.map((version) => ({ name, arch, version })));
    else if (newest === undefined) removed.push(...from.map((version) => ({ name, arch, version })));
    else if (from.join(' ') !== to.join(' '))
      (byVersion(newest, oldest) < 0 ? downgraded : upgraded).push({ name, arch, from: oldest, to: newest });
  }
  let newBytes = 0;
  for (const [path, { package: file }] of after)
    if (before.get(path)?.package.sha256 !== file.sha256) newBytes += file.size;
  return { added, removed, upgraded, downgraded, newBytes };
}

export const isEmptyDiff = ({ added, removed, upgraded, downgraded }: IndexDiff): boolean =>
  added.length + removed.length + upgraded.length + downgraded.length === 0;

/** Versions of each `NAME ARCH`, oldest first. */
function versionsByPackage(records: Records): Map<string, string[]> {
  const versions = new Map<string, string[]>();
  for (const { name, arch, version } of records.values()) {
    const key = `${name} ${arch}`;
    versions.set(key, [...(versions.get(key) ?? []), version]);
  }
  for (const list of versions.values()) list.sort(byVersion);
  return versions;
}

/** Oldest first. */
export function byVersion(a: string, b: string): number {
  const [x, y] = [parseVersion(a), parseVersion(b)];
  return x === undefined || y === undefined ? comparePaths(a, b) : compareVersions(x, y);
}

/**
 * Cuts an index into shards: by the first bits of the sha256 of a package's name, so that one new package
 * changes one shard, and a client fetches again only that. A pure function of the records.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '#schema/canonical-json';
import { openEncoder } from '#schema/container/codec';
import { sha256 } from '#schema/digest';
import type { MachineArch } from '#schema/fields';
import type { IndexShard, PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';
import { byVersion } from './index-diff.ts';

/** Each has an index of its own, with the packages for every machine in it. */
export const INDEXED_ARCHES = ['x86_64', 'aarch64'] as const satisfies readonly MachineArch[];

/** Packages a shard on average: above the one the shards double, below the other they halve. */
export const MOST_PER_SHARD = 64;
export const LEAST_PER_SHARD = 16;
const MOST_SHARDS = 4096;
/** Part of the format of a shard, because equal records must give equal bytes. */
const LEVEL = 19;

export interface Shard {
  /** Target path: `index/ARCH/NN.json.zst`. */
  readonly path: string;
  readonly arch: MachineArch;
  readonly packages: number;
  /** Number of shards that the index of this architecture is cut into, empty ones counted. */
  readonly of: number;
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/**
 * Returns the shards of one architecture that hold something, in the order of their paths.
 * @param previousCount into how many the last index was cut; kept as long as it fits
 */
export async function cutShards(
  arch: MachineArch,
  records: readonly PackageRecord[],
  previousCount: number,
): Promise<Shard[]> {
  const own = records.filter((record) => record.arch === arch || record.arch === 'noarch');
  const count = shardCount(own.length, previousCount);
  const groups = new Map<number, PackageRecord[]>();
  for (const record of own) {
    const index = shardOf(record.name, count);
    const group = groups.get(index);
    if (group === undefined) groups.set(index, [record]);
    else group.push(record);
  }
  const encoder = openEncoder('zstd', LEVEL);
  const shards: Shard[] = [];
  for (const [index, group] of [...groups].sort(([a], [b]) => a - b)) {
    const document: IndexShard = { format: 1, packages: sortRecords(group) };
    const bytes = await encoder.encode(canonicalJson(document));
    const path = `index/${arch}/${index.toString(16).padStart(2, '0')}.json.zst`;
    shards.push({ path, arch, packages: group.length, of: count, bytes, sha256: sha256(bytes) });
  }
  return shards;
}

/** A power of two, changed only where the shards have become too full or too empty. */
export function shardCount(packages: number, previous: number): number {
  let count = Math.min(Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, previous)))), MOST_SHARDS);
  while (count < MOST_SHARDS && packages > count * MOST_PER_SHARD) count *= 2;
  while (count > 1 && packages < count * LEAST_PER_SHARD) count /= 2;
  return count;
}

/** The first bits of the digest of the name, as many as number the shards. */
function shardOf(name: string, count: number): number {
  const digest = createHash('sha256').update(name).digest();
  return Math.floor((digest.readUInt32BE(0) / 2 ** 32) * count);
}

function sortRecords(records: readonly PackageRecord[]): PackageRecord[] {
  return records.toSorted(
    (a, b) => comparePaths(a.name, b.name) || byVersion(a.version, b.version) || comparePaths(a.arch, b.arch),
  );
}

/** Reads the index that a channel serves, or that a snapshot keeps, from the shards on disk. */
import { basename, dirname, join } from 'node:path';
import { decodeShard, parseShard } from '#engine/client/shard';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import { compareShards, overlay, type IndexShard, type PackageRecord } from '#schema/index-shard';
import type { TargetFile } from '#schema/tuf/metadata';
import { readIfAny } from './layout.ts';
import type { ServedShard } from './shards.ts';

/** Shards of an index by their target paths, as signed targets list them. */
export type IndexTargets = Readonly<Record<string, TargetFile>>;

/** `targets/index/ARCH/SHA256.NN.json.zst`: consistent snapshots put the digest before the file name. */
export const shardFileOf = (path: string, { hashes }: TargetFile): string =>
  `targets/${dirname(path)}/${hashes['sha256'] ?? ''}.${basename(path)}`;

/**
 * Reads a shard that this repository published or accepted: what was signed then was checked then.
 * @throws IcepkgError naming the shard where it is missing or not what was signed
 */
export const readShard = (repository: string, path: string, target: TargetFile): IndexShard =>
  parseShard(bytesOf(repository, path, target), path);

/** Reads a shard that somebody else published. @throws as `readShard`, and `format-invalid` */
export const readForeignShard: ReadShard = (repository, path, target) =>
  decodeShard(bytesOf(repository, path, target), path);

function bytesOf(repository: string, path: string, target: TargetFile): Uint8Array {
  const file = shardFileOf(path, target);
  const bytes = readIfAny(join(repository, file));
  if (bytes === undefined) throw damaged('not-found', `${file} is missing`);
  if (sha256(bytes) !== target.hashes['sha256']) throw damaged('verify-failed', `${file} is damaged`);
  return bytes;
}

export type ReadShard = typeof readShard;

/** Reads each shard once, for who looks at many snapshots: they share most of their shards. */
export function rememberingReader(readOne: ReadShard = readShard): ReadShard {
  const known = new Map<string, IndexShard>();
  return (repository, path, target) => {
    const file = shardFileOf(path, target);
    const shard = known.get(file) ?? readOne(repository, path, target);
    known.set(file, shard);
    return shard;
  };
}

/** The shards of an index, in their order. @throws as `readShard` does */
export const readShards = (
  repository: string,
  targets: IndexTargets,
  read: ReadShard = readShard,
): ServedShard[] =>
  Object.entries(targets)
    .sort(([a], [b]) => compareShards(a, b))
    .map(([path, target]) => ({ path, target, content: read(repository, path, target) }));

/** What shards hold together, by the package's path: each architecture has an index of its own. */
export function recordsOf(shards: readonly ServedShard[]): Map<string, PackageRecord> {
  const indexes = new Map<string, IndexShard[]>();
  for (const { path, content } of shards) {
    const index = indexes.get(dirname(path));
    if (index === undefined) indexes.set(dirname(path), [content]);
    else index.push(content);
  }
  const records = new Map<string, PackageRecord>();
  for (const index of indexes.values())
    for (const [path, record] of overlay(index)) records.set(path, record);
  return records;
}

/** The records of all shards, by the package's path. @throws as `readShard` does */
export const recordsNamedBy = (
  repository: string,
  targets: IndexTargets,
  read: ReadShard = readShard,
): Map<string, PackageRecord> => recordsOf(readShards(repository, targets, read));

/** The same, going on past shards that cannot be read, which `onProblem` is told of. */
export function readableRecords(
  repository: string,
  targets: IndexTargets,
  onProblem: (problem: IcepkgError) => void,
  read: ReadShard = readShard,
): Map<string, PackageRecord> {
  return recordsNamedBy(repository, targets, (...of) => {
    try {
      return read(...of);
    } catch (error) {
      if (!(error instanceof IcepkgError)) throw error;
      onProblem(error);
      return { format: 1, packages: [] };
    }
  });
}

/** The package and what lies beside it. */
export const filesOf = (record: PackageRecord): readonly { path: string; size: number; sha256: string }[] => [
  record.package,
  ...(record.documents ?? []),
];

const damaged = (code: 'not-found' | 'verify-failed', message: string): IcepkgError =>
  new IcepkgError(code, message, {
    hint: 'Restore it from a mirror or a backup, or go back to another snapshot: icepkg repo rollback',
  });

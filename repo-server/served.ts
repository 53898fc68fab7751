/** Reads the index that a channel serves, or that a snapshot keeps, from the shards on disk. */
import { basename, dirname, join } from 'node:path';
import { decodeShard } from '#engine/client/shard';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import type { TargetFile } from '#schema/tuf/metadata';
import { readIfAny } from './layout.ts';

/** Shards of an index by their target paths, as signed targets list them. */
export type IndexTargets = Readonly<Record<string, TargetFile>>;

/** `targets/index/ARCH/SHA256.NN.json.zst`: consistent snapshots put the digest before the file name. */
export const shardFileOf = (path: string, { hashes }: TargetFile): string =>
  `targets/${dirname(path)}/${hashes['sha256'] ?? ''}.${basename(path)}`;

/** @throws IcepkgError naming the shard where it is missing or not what was signed */
export function readShard(repository: string, path: string, target: TargetFile): readonly PackageRecord[] {
  const file = shardFileOf(path, target);
  const bytes = readIfAny(join(repository, file));
  if (bytes === undefined) throw damaged('not-found', `${file} is missing`);
  if (sha256(bytes) !== target.hashes['sha256']) throw damaged('verify-failed', `${file} is damaged`);
  return decodeShard(bytes, file).packages;
}

/** The records of all shards, by the package's path. @throws as `readShard` does */
export function recordsNamedBy(repository: string, targets: IndexTargets): Map<string, PackageRecord> {
  const records = new Map<string, PackageRecord>();
  for (const [path, target] of Object.entries(targets))
    for (const record of readShard(repository, path, target)) records.set(record.package.path, record);
  return records;
}

/** The same, going on past shards that cannot be read, which `onProblem` is told of. */
export function readableRecords(
  repository: string,
  targets: IndexTargets,
  onProblem: (problem: IcepkgError) => void,
): Map<string, PackageRecord> {
  const records = new Map<string, PackageRecord>();
  for (const [path, target] of Object.entries(targets)) {
    try {
      for (const record of readShard(repository, path, target)) records.set(record.package.path, record);
    } catch (error) {
      if (!(error instanceof IcepkgError)) throw error;
      onProblem(error);
    }
  }
  return records;
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

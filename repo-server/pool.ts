/**
 * The pool: the records of all packages in a repository and the channels each is in. It spares publishing the
 * reading of packages; every line of it was taken from a package that had been verified whole.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { PackageRecordSchema, type PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';
import { POOL_FILE, readIfAny, writeDurably } from './layout.ts';

const PooledPackageSchema = v.strictObject({
  record: PackageRecordSchema,
  /** Sorted; a package in none stays on disk for those who know an older index. */
  channels: v.array(v.string()),
});
const PoolSchema = v.strictObject({ format: v.literal(1), packages: v.array(PooledPackageSchema) });

export type PooledPackage = v.InferOutput<typeof PooledPackageSchema>;
/** By the package's path in the repository. */
export type Pool = ReadonlyMap<string, PooledPackage>;

export function readPool(repository: string): Pool {
  const file = join(repository, POOL_FILE);
  const bytes = readIfAny(file);
  if (bytes === undefined) return new Map();
  const { packages } = decode(PoolSchema, parseJson(bytes, file), file);
  return new Map(packages.map((pooled) => [pooled.record.package.path, pooled]));
}

export function writePool(repository: string, pool: Pool): void {
  const packages = [...pool.values()].sort((a, b) =>
    comparePaths(a.record.package.path, b.record.package.path),
  );
  const file = join(repository, POOL_FILE);
  // Decoded before it is written, so that a pool that cannot be read back never replaces one that can.
  writeDurably(file, canonicalJson(decode(PoolSchema, { format: 1, packages }, file)));
}

export const recordsIn = (pool: Pool, channel: string): PackageRecord[] =>
  [...pool.values()].filter(({ channels }) => channels.includes(channel)).map(({ record }) => record);

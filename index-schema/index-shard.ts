/**
 * The index: shards of package records. A shard is a TUF target, so one signature chain pins each record,
 * and each record pins its manifest and its package by sha256.
 */
import * as v from 'valibot';
import { PathSchema, Sha256Schema } from './fields.ts';
import { packageMetadata } from './manifest.ts';

const Size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

export const PackageRecordSchema = v.strictObject({
  ...packageMetadata,
  buildTime: v.optional(Size),
  installedSize: Size,
  /** Number of entries in the manifest, for the inode check. */
  fileCount: Size,
  manifest: v.strictObject({ size: Size, sha256: Sha256Schema }),
  /** `path` is relative to the repository's base URL; `headerSize` is the length of the header frame. */
  package: v.strictObject({ path: PathSchema, size: Size, sha256: Sha256Schema, headerSize: Size }),
  /** Bills of materials and provenance that lie beside the package; a reader leaves types alone that it does not know. */
  documents: v.optional(
    v.pipe(
      v.array(
        v.strictObject({
          type: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9.-]{0,31}$/, 'expected a type such as spdx-2.3')),
          path: PathSchema,
          size: Size,
          sha256: Sha256Schema,
        }),
      ),
      v.maxLength(16),
    ),
  ),
});

/** Shards are laid one over the other in the order of their names: of a path the last one that speaks of it is right. */
export const IndexShardSchema = v.strictObject({
  format: v.literal(1),
  /** Sorted by name, then by version, oldest first. */
  packages: v.array(PackageRecordSchema),
  /** Paths of packages in shards before this one that the index does not have any more. */
  removed: v.optional(v.array(PathSchema)),
});

export type PackageRecord = v.InferOutput<typeof PackageRecordSchema>;
export type IndexShard = v.InferOutput<typeof IndexShardSchema>;

/** The order of shards by their target paths: shorter names first, so that 100 comes after ff. */
export const compareShards = (a: string, b: string): number =>
  a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);

/** What shards say together. @param shards in their order */
export function overlay(
  shards: Iterable<Pick<IndexShard, 'packages' | 'removed'>>,
): Map<string, PackageRecord> {
  const records = new Map<string, PackageRecord>();
  for (const { packages, removed = [] } of shards) {
    for (const path of removed) records.delete(path);
    for (const record of packages) records.set(record.package.path, record);
  }
  return records;
}

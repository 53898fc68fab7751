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
});

export const IndexShardSchema = v.strictObject({
  format: v.literal(1),
  /** Sorted by name, then by version, oldest first. */
  packages: v.array(PackageRecordSchema),
});

export type PackageRecord = v.InferOutput<typeof PackageRecordSchema>;
export type IndexShard = v.InferOutput<typeof IndexShardSchema>;

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

export const IndexShardSchema = v.strictObject({
  format: v.literal(1),
  /** Sorted by name, then by version, oldest first. */
  packages: v.array(PackageRecordSchema),
});

export type PackageRecord = v.InferOutput<typeof PackageRecordSchema>;
export type IndexShard = v.InferOutput<typeof IndexShardSchema>;

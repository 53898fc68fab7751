/**
 * What a package says of itself when it is made of a folder, without a recipe. The published JSON Schema
 * `index-schema/pack.schema.json` is generated from the schema in this file; `docs/packing.md` explains every field.
 */
import * as v from 'valibot';
import { ArchSchema, LineSchema, PackageNameSchema, PathSchema, SymlinkTargetSchema } from '#schema/fields';
import { MajorSchema, MinorSchema } from '#schema/manifest';
import { isVersion } from '#schema/version';
import { ownerFields, PathRuleSchema } from './path-rules.ts';
import { packageFields } from './recipe-schema.ts';

const Count = v.pipe(
  v.number('expected a number'),
  v.safeInteger('expected an integer'),
  v.minValue(0, 'expected a number from 0'),
);

const device = { path: PathSchema, ...ownerFields, major: MajorSchema, minor: MinorSchema };

/** What the folder cannot hold, or an ordinary user cannot make. */
const EntrySchema = v.variant(
  'type',
  [
    v.strictObject({ type: v.literal('directory'), path: PathSchema, ...ownerFields }),
    v.strictObject({
      type: v.literal('symlink'),
      path: PathSchema,
      target: SymlinkTargetSchema,
      uid: ownerFields.uid,
      gid: ownerFields.gid,
    }),
    v.strictObject({ type: v.literal('hardlink'), path: PathSchema, target: PathSchema }),
    v.strictObject({ type: v.literal('character-device'), ...device }),
    v.strictObject({ type: v.literal('block-device'), ...device }),
    v.strictObject({ type: v.literal('fifo'), path: PathSchema, ...ownerFields }),
  ],
  'expected a type: directory, symlink, hardlink, character-device, block-device or fifo',
);

export const PackManifestSchema = v.strictObject({
  name: PackageNameSchema,
  /** `1.2.3` with `release` beside it, or `1.2.3-r0`. */
  version: v.pipe(
    v.string('expected a version such as "1.2.3-r0", in quotes'),
    v.check((text) => isVersion(text) || isVersion(`${text}-r0`), 'expected a version such as 1.2.3-r0'),
  ),
  release: v.optional(Count),
  arch: v.optional(ArchSchema),
  license: v.optional(LineSchema),
  upstreamVersion: v.optional(LineSchema),
  url: v.optional(LineSchema),
  maintainer: v.optional(LineSchema),
  /** The recipe or project that several packages come from. */
  origin: v.optional(PackageNameSchema),
  /** Seconds since the epoch; every time in the package. */
  buildTime: v.optional(Count),
  ...packageFields,
  owners: v.optional(v.array(PathRuleSchema, 'expected a list of rules'), []),
  entries: v.optional(v.array(EntrySchema, 'expected a list of entries'), []),
  /** Finds `so:`, `cmd:` and `pc:` provides and needs in the files, as a build does. */
  scan: v.optional(v.boolean('expected true or false'), false),
});

export type PackManifest = v.InferOutput<typeof PackManifestSchema>;
export type PackEntry = v.InferOutput<typeof EntrySchema>;

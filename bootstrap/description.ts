/** What a built image says of itself, and where that is kept. */
import * as path from 'node:path';
import * as v from 'valibot';
import { parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { DependencySchema, PackageNameSchema, PathSchema, Sha256Schema } from '#schema/fields';
import { FORMATS } from './definition-schema.ts';
import { LockedPackagesSchema } from './lock.ts';
import { readInput } from './read-input.ts';

const Size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Id = v.pipe(v.number(), v.integer(), v.minValue(0));

const BuiltFileSchema = v.strictObject({
  format: v.picklist([...FORMATS, 'kernel', 'initramfs', 'device-tree', 'u-boot']),
  /** Name in the output folder. */
  file: v.pipe(v.string(), v.regex(/^[a-z0-9][A-Za-z0-9_.-]*$/, 'expected a file name')),
  size: Size,
  sha256: Sha256Schema,
});

/** A path of the image, with the owner, mode and attributes that it has there. */
const RootEntrySchema = v.strictObject({
  path: PathSchema,
  type: v.picklist(['file', 'directory', 'symlink', 'fifo', 'character-device', 'block-device']),
  mode: Id,
  uid: Id,
  gid: Id,
  size: Size,
  /** Of regular files. */
  sha256: v.optional(Sha256Schema),
  target: v.optional(v.string()),
  device: v.optional(v.strictObject({ major: Id, minor: Id })),
  /** In base64. */
  xattrs: v.optional(v.record(v.string(), v.string())),
  /** The packages that own the path; none for what the definition or icepkg itself brought. */
  packages: v.array(PackageNameSchema),
});

const filesFields = {
  format: v.literal(1),
  name: v.string(),
  arch: v.picklist(['x86_64', 'aarch64']),
  /** Digest of everything that went in. */
  key: Sha256Schema,
  files: v.array(BuiltFileSchema),
};

/** Of a description, what says which files there are; checking the lists of packages and paths takes much longer. */
const DescribedFilesSchema = v.object(filesFields);

const DescriptionSchema = v.strictObject({
  ...filesFields,
  system: v.string(),
  board: v.string(),
  cmdline: v.string(),
  /** What the definition asked for. */
  packages: v.array(DependencySchema),
  locked: LockedPackagesSchema,
  entries: v.array(RootEntrySchema),
});

export type BuiltFile = v.InferOutput<typeof BuiltFileSchema>;
export type RootEntry = v.InferOutput<typeof RootEntrySchema>;
/** For `run`, `test`, `diff`, `why`, `sbom`, `flash` and people. */
export type ImageDescription = v.InferOutput<typeof DescriptionSchema>;
export type DescribedFiles = v.InferOutput<typeof DescribedFilesSchema>;

/** Name of the description in the cache. */
export const DESCRIPTION = 'image.json';

/** @throws IcepkgError `not-found`, `format-invalid` */
export function readDescription(folder: string, name = DESCRIPTION): ImageDescription {
  const file = path.join(folder, name);
  return decodeDescription(readInput(file, 'Build the image first: icepkg image build'), file);
}

/** @throws IcepkgError `format-invalid` */
export const decodeDescription = (bytes: Uint8Array, file: string): ImageDescription =>
  decode(DescriptionSchema, parseJson(bytes, file), file);

/** @throws IcepkgError `format-invalid` */
export const decodeFiles = (bytes: Uint8Array, file: string): DescribedFiles =>
  decode(DescribedFilesSchema, parseJson(bytes, file), file);

export const descriptionName = ({ name, arch }: { readonly name: string; readonly arch: string }): string =>
  `${name}.${arch}.json`;

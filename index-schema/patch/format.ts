/**
 * The format of patches, `.icepatch`: what an installed package lacks to become another version of it.
 *
 * A patch is one zstd frame that holds the head, canonical JSON, and behind it sections, each one zstd frame made with
 * content of the old package as raw dictionary. The first section is the header of the new package; the others, in
 * order, are the contents of the files that the old package has not, one after the other as if they were one file.
 *
 * Nothing in a patch is believed. Whoever applies one compares the header and each file with the digests that the
 * signed index pins, so a patch is neither signed nor named by what is signed.
 */
import * as v from 'valibot';
import { Sha256Schema, VersionSchema } from '../fields.ts';
import { MAX_FRAMES, MAX_HEADER_BYTES } from '../limits.ts';
import type { Manifest, RegularFile } from '../manifest.ts';

/** Content of one section before compression, and all content of the old package that it is made with, in bytes. */
export const MAX_SECTION_BYTES = 16 * 1024 * 1024;
export const MAX_DICTIONARY_BYTES = 32 * 1024 * 1024;
/** The head, uncompressed. */
export const MAX_PATCH_HEAD_BYTES = 16 * 1024 * 1024;
/** A list of patches. */
export const MAX_PATCH_LIST_BYTES = 64 * 1024;
/** Packages below this size in bytes have no patches: asking for one costs as much as it saves. */
export const LEAST_PATCHED_SIZE = 16 * 1024;

const Size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const SectionSize = v.pipe(Size, v.minValue(1), v.maxValue(MAX_SECTION_BYTES));

/** A piece of a file of the old package: its place in the manifest's `files`, where the piece starts, and how long it is. */
const PieceSchema = v.strictTuple([Size, Size, v.pipe(Size, v.minValue(1))]);

export const PatchHeadSchema = v.strictObject({
  format: v.literal(1),
  /** Digests of both manifests. */
  from: Sha256Schema,
  to: Sha256Schema,
  /** The header of the new package before compression, made with the old manifest as dictionary. */
  header: v.strictObject({
    size: v.pipe(Size, v.minValue(1)),
    uncompressedSize: v.pipe(Size, v.maxValue(MAX_HEADER_BYTES)),
  }),
  sections: v.pipe(
    v.array(
      v.strictObject({
        size: v.pipe(Size, v.minValue(1)),
        uncompressedSize: SectionSize,
        /** The dictionary: these, one after the other. */
        pieces: v.array(PieceSchema),
      }),
    ),
    v.maxLength(MAX_FRAMES),
  ),
});
export type PatchHead = v.InferOutput<typeof PatchHeadSchema>;
export type PatchSection = PatchHead['sections'][number];
export type Piece = v.InferOutput<typeof PieceSchema>;

/** What lies beside a package as `.patches.json`: from which versions there is a patch to it. */
export const PatchListSchema = v.strictObject({
  format: v.literal(1),
  patches: v.pipe(
    v.array(
      v.strictObject({
        /** Digest of the manifest of the old package. */
        from: Sha256Schema,
        version: VersionSchema,
        size: v.pipe(Size, v.minValue(1)),
        sha256: Sha256Schema,
      }),
    ),
    v.maxLength(64),
  ),
});
export type PatchList = v.InferOutput<typeof PatchListSchema>;
export type ListedPatch = PatchList['patches'][number];

/** Paths in a repository, beside the package. @param packagePath as the index gives it */
export const patchListPath = (packagePath: string): string => `${packagePath}.patches.json`;
export const patchPath = (packagePath: string, from: string): string =>
  `${packagePath}.${from.slice(0, 16)}.icepatch`;

/** The path of the package that a patch or a list of patches lies beside; `undefined` for every other path. */
export const patchedPackage = (path: string): string | undefined =>
  /^(.+\.icepkg)\.(?:patches\.json|[0-9a-f]{16}\.icepatch)$/.exec(path)?.[1];

/**
 * True for the files of an installed package that a patch may draw on. Configuration files are not among them, because
 * operators change them.
 */
const isSource = (file: Manifest['files'][number]): file is RegularFile =>
  file.type === 'file' && file.size > 0 && file.config !== true;

/** Files of the old package that patches draw on, by their place in its manifest. */
export function sourceFiles({ files }: Pick<Manifest, 'files'>): ReadonlyMap<number, RegularFile> {
  const sources = new Map<number, RegularFile>();
  for (const [place, file] of files.entries()) if (isSource(file)) sources.set(place, file);
  return sources;
}

/** A file of the new package, and the file of the old one that has the same content. */
export interface NeededFile {
  readonly file: RegularFile;
  /** Without one, the content is in the sections. */
  readonly same: RegularFile | undefined;
}

/** The files of the new package that have content, in the order of its manifest. */
export function neededFiles(from: Pick<Manifest, 'files'>, to: Pick<Manifest, 'files'>): NeededFile[] {
  const bySha256 = new Map<string, RegularFile>();
  for (const source of sourceFiles(from).values())
    if (!bySha256.has(source.sha256)) bySha256.set(source.sha256, source);
  return to.files.flatMap((file): NeededFile[] => {
    if (file.type !== 'file' || file.size === 0) return [];
    const same = bySha256.get(file.sha256);
    return [{ file, same: same?.size === file.size ? same : undefined }];
  });
}

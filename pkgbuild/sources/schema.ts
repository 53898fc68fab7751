/** Where sources come from and how they are unpacked, in the words of a recipe. */
import * as v from 'valibot';
import { LineSchema, PackageNameSchema, Sha256Schema } from '#schema/fields';

/** A path below the recipe's folder, or below the source folder. */
export const RelativePath = v.pipe(
  v.string('expected a path'),
  v.regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$)).+$/, 'expected a path inside the folder of the recipe'),
);

const LocationSchema = v.union(
  [
    v.strictObject({
      /** A Debian source package; its file named `file` is taken, whatever its revision. */
      debian: PackageNameSchema,
      /** Pin of one Debian version, for a source whose hash changes with the revision. */
      version: v.optional(LineSchema),
    }),
    v.strictObject({
      /** A Debian binary package: the `.deb` itself is the source. */
      'debian-binary': PackageNameSchema,
      version: v.optional(LineSchema),
    }),
    v.strictObject({
      url: v.pipe(
        v.string('expected a URL'),
        v.regex(/^(?:https?|file):\/\//, 'expected an http, https or file URL'),
      ),
    }),
  ],
  'expected one of debian, debian-binary, url',
);

const FetchedSourceSchema = v.strictObject({
  /** Name of the file; also how it is found among the files of a Debian source package. */
  file: v.pipe(
    v.string('expected a file name'),
    v.regex(/^[A-Za-z0-9_][A-Za-z0-9_.+~-]*$/, 'expected a file name'),
  ),
  sha256: Sha256Schema,
  /** Places to try, in this order. */
  from: v.pipe(
    v.array(LocationSchema, 'expected a list of places'),
    v.minLength(1, 'expected at least one place'),
  ),
  /** False leaves the file as it is, in the source folder. */
  extract: v.optional(v.boolean('expected true or false')),
  /** Folder below the source folder to extract into. */
  into: v.optional(RelativePath),
});
const LocalSourceSchema = v.strictObject({
  /** A file or a folder beside the recipe; a folder's content is copied. */
  path: RelativePath,
  into: v.optional(RelativePath),
});

export const SourceSchema = v.union(
  [FetchedSourceSchema, LocalSourceSchema],
  'expected a source: file, sha256 and from; or path',
);

export type Source = v.InferOutput<typeof SourceSchema>;
export type FetchedSource = v.InferOutput<typeof FetchedSourceSchema>;
export type SourceLocation = FetchedSource['from'][number];

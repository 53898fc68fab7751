/** Where sources come from and how they are unpacked, in the words of a recipe. */
import * as v from 'valibot';
import { PackageNameSchema, Sha256Schema } from '#schema/fields';

/** A path below the recipe's folder, or below the source folder. */
export const RelativePath = v.pipe(
  v.string('expected a path'),
  v.regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$)).+$/, 'expected a path inside the folder of the recipe'),
);

/** A collection of recipes may lie in the repository of the program it packages; two steps up lead there. */
const LocalPath = v.pipe(
  v.string('expected a path'),
  v.regex(
    /^(?:\.\.\/){0,2}(?!\/)(?!(?:.*\/)?\.\.(?:\/|$)).+$/,
    'expected a path in the folder of the recipe, or one that begins with ../ or ../../',
  ),
);

const UrlSchema = v.pipe(
  v.string('expected a URL'),
  v.regex(/^(?:https?|file):\/\/[^\s\u0000-\u001f]+$/, 'expected an http, https or file URL'),
);
const DebianVersionSchema = v.pipe(
  v.string('expected a Debian version in quotes'),
  v.regex(/^(?:\d+:)?[A-Za-z0-9.+~-]+$/, 'expected a Debian version such as 1:2.36-9+deb12u1'),
);

const DebianSourceLocation = v.strictObject({
  /** A Debian source package; its file named `file` is taken, whatever its revision. */
  debian: PackageNameSchema,
  /** Pin of one Debian version, for a source whose hash changes with the revision. */
  version: v.optional(DebianVersionSchema),
});
const DebianBinaryLocation = v.strictObject({
  /** A Debian binary package: the `.deb` itself is the source. */
  'debian-binary': PackageNameSchema,
  version: v.optional(DebianVersionSchema),
});
const UrlLocation = v.strictObject({ url: UrlSchema });
const GitLocation = v.strictObject({
  /** A repository; the source is a tar of one commit. */
  git: v.pipe(
    v.string('expected the URL of a git repository'),
    v.regex(
      /^(?:https?|ssh|git|file):\/\/[^\s\u0000-\u001f]+$/,
      'expected an https, http, ssh, git or file URL',
    ),
  ),
  /** The whole name of a commit: a branch or a tag can move. */
  commit: v.pipe(
    v.string('expected a commit in quotes'),
    v.regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'expected a whole commit: 40 hex digits'),
  ),
});

const LocationSchema = v.union(
  [DebianSourceLocation, DebianBinaryLocation, UrlLocation, GitLocation],
  'expected one of debian, debian-binary, url, git',
);

const PatternsSchema = v.pipe(
  v.array(v.pipe(v.string('expected a pattern'), v.minLength(1)), 'expected a list of patterns'),
  v.minLength(1, 'expected at least one pattern'),
);
const ExtractSchema = v.union(
  [
    v.boolean('expected true or false'),
    v.strictObject({
      /** Leading folders that are dropped from the paths of an archive. */
      strip: v.optional(
        v.pipe(
          v.number('expected a number'),
          v.integer('expected an integer'),
          v.minValue(0),
          v.maxValue(20),
        ),
      ),
      /** Only these are unpacked; patterns of the paths that the archive lists. */
      only: v.optional(PatternsSchema),
      except: v.optional(PatternsSchema),
    }),
  ],
  'expected true, false, or rules: strip, only, except',
);

const MachineSchema = v.picklist(['x86_64', 'aarch64'], 'expected x86_64 or aarch64');
const unpackFields = {
  /** Folder below the source folder to extract into. */
  into: v.optional(RelativePath),
  /** The source is for this architecture only. */
  arch: v.optional(MachineSchema),
};

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
  extract: v.optional(ExtractSchema),
  ...unpackFields,
});

const LocalSourceSchema = v.strictObject({
  /** A file or a folder beside the recipe; a folder's content is copied. */
  path: LocalPath,
  ...unpackFields,
});

const DebSourceSchema = v.strictObject({
  /** A Debian binary package to repackage: without `into` its files are installed as they are. */
  deb: PackageNameSchema,
  version: DebianVersionSchema,
  /** One sum for a package that is the same everywhere, else one for each architecture. */
  sha256: v.union(
    [Sha256Schema, v.strictObject({ x86_64: v.optional(Sha256Schema), aarch64: v.optional(Sha256Schema) })],
    'expected a sha256, or one for each of x86_64 and aarch64',
  ),
  /** More places, tried after the machine's Debian mirrors. */
  from: v.optional(v.array(UrlLocation, 'expected a list of URLs')),
  extract: v.optional(ExtractSchema),
  ...unpackFields,
});

const NpmSourceSchema = v.strictObject({
  /** A package of the npm registry that this machine's npm is set up for. */
  npm: v.pipe(
    v.string('expected the name of an npm package'),
    v.regex(/^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/, 'expected the name of an npm package'),
  ),
  version: v.pipe(
    v.string('expected a version in quotes'),
    v.regex(/^\d+\.\d+\.\d+[A-Za-z0-9.+-]*$/, 'expected a whole version such as 1.2.3'),
  ),
  sha256: Sha256Schema,
  extract: v.optional(ExtractSchema),
  ...unpackFields,
});

export const SourceSchema = v.union(
  [FetchedSourceSchema, LocalSourceSchema, DebSourceSchema, NpmSourceSchema],
  'expected a source: file, sha256 and from; deb, version and sha256; npm, version and sha256; or path',
);

export type Source = v.InferOutput<typeof SourceSchema>;
export type LocalSource = v.InferOutput<typeof LocalSourceSchema>;
export type DebSource = v.InferOutput<typeof DebSourceSchema>;
export type NpmSource = v.InferOutput<typeof NpmSourceSchema>;
export type ExtractRules = Exclude<v.InferOutput<typeof ExtractSchema>, boolean>;
export type DebianLocation =
  | v.InferOutput<typeof DebianSourceLocation>
  | (v.InferOutput<typeof DebianBinaryLocation> & { readonly arch?: string });
export type GitLocation = v.InferOutput<typeof GitLocation>;
export type SourceLocation = v.InferOutput<typeof LocationSchema>;

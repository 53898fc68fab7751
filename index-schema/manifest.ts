/**
 * The manifest: what a package is, needs, offers and holds, down to every path and frame.
 * It is canonical JSON inside the header frame; its sha256 is what is signed and what an index pins.
 * The published JSON Schema `manifest.schema.json` is generated from the schema in this file.
 */
import * as v from 'valibot';
import {
  MAX_ALTERNATIVES,
  MAX_DECLARED,
  MAX_DEPENDENCIES,
  MAX_FILES,
  MAX_FRAME_BYTES,
  MAX_FRAMES,
  MAX_SCRIPT,
} from './limits.ts';
import {
  ArchSchema,
  CapabilitySchema,
  DependencySchema,
  GroupNameSchema,
  LineSchema,
  PackageNameSchema,
  PathSchema,
  Sha256Schema,
  SymlinkTargetSchema,
  UserNameSchema,
  VersionSchema,
} from './fields.ts';

const Size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_fffe));
const Mode = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0o7777));
/** Linux's bounds of device numbers. */
export const MajorSchema = v.pipe(
  v.number('expected a number'),
  v.integer('expected an integer'),
  v.minValue(0, 'expected a number from 0'),
  v.maxValue(0xfff, 'expected a number of at most 4095'),
);
export const MinorSchema = v.pipe(
  v.number('expected a number'),
  v.integer('expected an integer'),
  v.minValue(0, 'expected a number from 0'),
  v.maxValue(0xf_ffff, 'expected a number of at most 1048575'),
);
const Xattrs = v.record(v.string(), v.pipe(v.string(), v.base64()));

/**
 * Owners default to 0 and are left out then. `user` and `group` name an account that a package declares;
 * where present they win over the numbers, resolved in the root's own `/etc/passwd` and `/etc/group`.
 */
const owned = {
  path: PathSchema,
  mode: Mode,
  uid: v.optional(Id),
  gid: v.optional(Id),
  user: v.optional(UserNameSchema),
  group: v.optional(GroupNameSchema),
};

const RegularFileSchema = v.strictObject({
  type: v.literal('file'),
  ...owned,
  size: Size,
  sha256: Sha256Schema,
  /** Number of the frame where the content starts; data frames count from 1. Empty files have none. */
  frame: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  /** Where the content starts in the uncompressed bytes of that frame. */
  offset: v.optional(Size),
  /** A configuration file: never overwritten once the operator changed it. */
  config: v.optional(v.literal(true)),
  xattrs: v.optional(Xattrs),
});
const DirectorySchema = v.strictObject({
  type: v.literal('directory'),
  ...owned,
  xattrs: v.optional(Xattrs),
});
const SymlinkSchema = v.strictObject({
  type: v.literal('symlink'),
  path: PathSchema,
  target: SymlinkTargetSchema,
  uid: v.optional(Id),
  gid: v.optional(Id),
});
/** `target` is the path of a regular file of the same package. */
const HardlinkSchema = v.strictObject({ type: v.literal('hardlink'), path: PathSchema, target: PathSchema });
const DeviceSchema = v.strictObject({
  type: v.picklist(['character-device', 'block-device']),
  ...owned,
  major: MajorSchema,
  minor: MinorSchema,
});
const FifoSchema = v.strictObject({ type: v.literal('fifo'), ...owned });

export const FileEntrySchema = v.variant('type', [
  RegularFileSchema,
  DirectorySchema,
  SymlinkSchema,
  HardlinkSchema,
  DeviceSchema,
  FifoSchema,
]);

/** A data frame. `offset` counts from the end of the header frame; offsets follow one another without gaps. */
export const FrameSchema = v.strictObject({
  offset: Size,
  size: Size,
  uncompressedSize: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_FRAME_BYTES)),
  sha256: Sha256Schema,
});

const UserSchema = v.strictObject({
  name: UserNameSchema,
  /** A fixed id; without one the engine takes a free id of the system range. */
  uid: v.optional(Id),
  /** Primary group; without one a group of the user's own name. */
  group: v.optional(GroupNameSchema),
  /** Supplementary groups. */
  groups: v.optional(v.pipe(v.array(GroupNameSchema), v.maxLength(MAX_DECLARED))),
  gecos: v.optional(LineSchema),
  home: v.optional(LineSchema),
  shell: v.optional(LineSchema),
});
const GroupSchema = v.strictObject({ name: GroupNameSchema, gid: v.optional(Id) });

/** Among all installed alternatives for `link` the highest priority wins, ties by package name. */
const AlternativeSchema = v.strictObject({
  link: PathSchema,
  target: SymlinkTargetSchema,
  priority: v.pipe(v.number(), v.integer()),
});

const ServiceSchema = v.strictObject({
  name: PackageNameSchema,
  /** Argument vector; the first element is an absolute path. */
  command: v.pipe(
    v.array(LineSchema),
    v.minLength(1),
    v.maxLength(MAX_DECLARED),
    v.check(
      ([program = '']) => program.startsWith('/'),
      'expected the absolute path of the program first, such as /usr/bin/NAME',
    ),
  ),
  description: v.optional(LineSchema),
  user: v.optional(UserNameSchema),
  environment: v.optional(v.pipe(v.record(v.string(), LineSchema), v.maxEntries(MAX_DECLARED))),
  /** Services that must be up first. */
  after: v.optional(v.pipe(v.array(PackageNameSchema), v.maxLength(MAX_DECLARED))),
  restart: v.optional(v.picklist(['always', 'on-failure', 'never'])),
  /** Whether installing the package enables the service. */
  enable: v.optional(v.boolean()),
});

const ScriptText = v.pipe(v.string(), v.maxLength(MAX_SCRIPT));
/** Shell texts, the last resort: run by the root's `/bin/sh`, confined to the root, never for a foreign architecture. */
const ScriptsSchema = v.strictObject({
  preInstall: v.optional(ScriptText),
  postInstall: v.optional(ScriptText),
  preUpgrade: v.optional(ScriptText),
  postUpgrade: v.optional(ScriptText),
  preRemove: v.optional(ScriptText),
  postRemove: v.optional(ScriptText),
});

const dependencies = v.pipe(v.array(DependencySchema), v.maxLength(MAX_DEPENDENCIES));

/** What the solver and a listing need of a package; shared by the manifest and the index record. */
export const packageMetadata = {
  name: PackageNameSchema,
  /** `SEMVER-rN`. */
  version: VersionSchema,
  arch: ArchSchema,
  description: v.optional(LineSchema),
  /** An SPDX licence expression. */
  license: v.optional(LineSchema),
  upstreamVersion: v.optional(LineSchema),
  url: v.optional(LineSchema),
  maintainer: v.optional(LineSchema),
  /** The recipe that this package, perhaps a subpackage, was built from. */
  origin: v.optional(PackageNameSchema),
  /** Needs (`zlib@^1.2`, `a | b`) and conflicts (`!name@RANGE`). */
  depends: v.optional(dependencies),
  recommends: v.optional(dependencies),
  /** `NAME` or `NAME@=VERSION`. */
  provides: v.optional(v.pipe(v.array(CapabilitySchema), v.maxLength(MAX_DEPENDENCIES))),
  /** Which provider of an unversioned virtual is preferred: the highest. */
  providerPriority: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  /** Packages whose files this one may take over and that it takes the place of on upgrade. */
  replaces: v.optional(dependencies),
  installIf: v.optional(dependencies),
};

export const ManifestSchema = v.strictObject({
  format: v.literal(1),
  ...packageMetadata,
  /** Seconds since the epoch that the build was clamped to (SOURCE_DATE_EPOCH). */
  buildTime: v.optional(Size),
  /** Sum of the sizes of all regular files. */
  installedSize: Size,
  /** Sorted by path, by bytes. A directory stands before what is in it. */
  files: v.pipe(v.array(FileEntrySchema), v.maxLength(MAX_FILES)),
  frames: v.pipe(v.array(FrameSchema), v.maxLength(MAX_FRAMES)),
  users: v.optional(v.pipe(v.array(UserSchema), v.maxLength(MAX_DECLARED))),
  groups: v.optional(v.pipe(v.array(GroupSchema), v.maxLength(MAX_DECLARED))),
  alternatives: v.optional(v.pipe(v.array(AlternativeSchema), v.maxLength(MAX_ALTERNATIVES))),
  services: v.optional(v.pipe(v.array(ServiceSchema), v.maxLength(MAX_DECLARED))),
  scripts: v.optional(ScriptsSchema),
});

export type Manifest = v.InferOutput<typeof ManifestSchema>;
export type FileEntry = v.InferOutput<typeof FileEntrySchema>;
export type RegularFile = v.InferOutput<typeof RegularFileSchema>;
export type Frame = v.InferOutput<typeof FrameSchema>;
export type DeclaredUser = v.InferOutput<typeof UserSchema>;
export type DeclaredGroup = v.InferOutput<typeof GroupSchema>;
export type Service = v.InferOutput<typeof ServiceSchema>;
export type Scripts = v.InferOutput<typeof ScriptsSchema>;

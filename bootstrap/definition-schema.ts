/**
 * What the YAML files below `images/` may say. A profile is a set of packages and settings, a board is hardware, a
 * system is profiles with defaults; an image is a system on a board. All share the fields of a layer, and layers
 * compose: lists append, single values of the later layer win, partitions of one name become one.
 */
import * as v from 'valibot';
import { DependencySchema, LineSchema, PackageNameSchema, UserNameSchema } from '#schema/fields';
import { PathRuleSchema } from '#pkgbuild/path-rules';

const RelativePath = v.pipe(
  v.string('expected a path'),
  v.regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$)).+$/, 'expected a path inside the folder of the definition'),
);
const RootPath = v.pipe(
  v.string('expected a path'),
  v.regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$)).+$/, 'expected a path in the image, without a leading slash'),
);
const NO_DOTS = /^(?!(?:.*\/)?\.\.?(?:\/|$))/;
const AbsolutePath = v.pipe(
  LineSchema,
  v.regex(/^\//, 'expected an absolute path'),
  v.regex(NO_DOTS, 'expected a path without . and ..'),
);
/** Bytes, such as `64M`; the units are powers of 1024. */
const SizeSchema = v.pipe(
  v.string('expected a size such as "64M"'),
  v.regex(/^[1-9]\d{0,9}[KMG]?$/, 'expected a size such as 64M'),
  v.transform(sizeInBytes),
);
const Name = v.pipe(
  v.string('expected a name'),
  v.regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/, 'expected a name of lower-case letters, digits, _ . and -'),
);
const Module = v.pipe(
  v.string('expected the name of a module'),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, 'expected the name of a module, without .ko'),
);
const seconds = v.pipe(v.number('expected seconds'), v.minValue(0.1, 'expected seconds'));

const UserSchema = v.strictObject({
  name: UserNameSchema,
  uid: v.optional(v.pipe(v.number('expected a number'), v.integer(), v.minValue(0))),
  gecos: v.optional(LineSchema),
  home: v.optional(AbsolutePath),
  shell: v.optional(AbsolutePath),
  groups: v.optional(v.array(UserNameSchema)),
  /** As `openssl passwd -6` or `mkpasswd` print it. Without one no password opens the account; an empty one opens it to all. */
  passwordHash: v.optional(
    v.pipe(
      v.string('expected a password hash'),
      v.regex(/^(?:|\*|\$[0-9a-z]+\$[^:\s]+)$/, 'expected a hash such as $6$…, never a password'),
    ),
  ),
  /** Lines of `authorized_keys`, see sshd(8). */
  sshKeys: v.optional(
    v.array(
      v.pipe(
        LineSchema,
        v.regex(
          /^(?:[^#\s].*\s)?(?:ssh|ecdsa|sk)-[a-z0-9@.-]+ AAAA[A-Za-z0-9+/]*={0,3}(?:\s|$)/,
          'expected the line of a public key, such as ssh-ed25519 AAAA… anna',
        ),
      ),
    ),
  ),
});

const RepositorySchema = v.strictObject({
  name: PackageNameSchema,
  channel: v.optional(PackageNameSchema),
  mirrors: v.pipe(v.array(LineSchema), v.minLength(1, 'expected at least one mirror')),
  /** The `root.json` to trust, beside the definition. */
  trust: RelativePath,
});

const CheckSchema = v.strictObject({
  name: LineSchema,
  /** Shell text for the console of the booted image. */
  run: v.string('expected shell text'),
  /** A regular expression that the output must match. */
  expect: v.optional(
    v.pipe(v.string('expected a regular expression'), v.check(isPattern, 'expected a regular expression')),
  ),
});

const FILE_SYSTEMS = ['ext4', 'squashfs', 'erofs', 'vfat'] as const;
export const FORMATS = ['directory', 'tar', 'oci', 'rootfs', 'img', 'qcow2', 'iso'] as const;

const PARTITIONS = ['esp', 'bios', 'boot', 'root', 'data', 'swap'] as const;

const PartitionSchema = v.strictObject({
  name: Name,
  /** What it is for; gives the type id of the Discoverable Partitions Specification. `bios` holds GRUB, which BIOS starts. */
  type: v.picklist(PARTITIONS, `expected one of ${PARTITIONS.join(', ')}`),
  filesystem: v.optional(v.picklist(FILE_SYSTEMS, `expected one of ${FILE_SYSTEMS.join(', ')}`)),
  /** Folder of the image whose content it holds; the root partition holds what no other one does. */
  mount: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^\/(?:[^/\s\\]+(?:\/[^/\s\\]+)*)?$/,
        'expected an absolute path such as /srv/data, without spaces',
      ),
      v.regex(NO_DOTS, 'expected a path without . and ..'),
    ),
  ),
  /** Without it, as large as its content and `free` need. */
  size: v.optional(SizeSchema),
  /** Room to leave beside the content. */
  free: v.optional(SizeSchema),
});

export const layerFields = {
  description: v.optional(LineSchema),
  packages: v.optional(v.array(DependencySchema, 'expected a list of packages')),
  /** Folder beside the definition whose content is copied over what packages brought. */
  overlay: v.optional(RelativePath),
  /** Owners and modes of what the overlay brings. */
  owners: v.optional(v.array(PathRuleSchema, 'expected a list of rules')),
  users: v.optional(v.array(UserSchema, 'expected a list of users')),
  services: v.optional(
    v.strictObject({
      enable: v.optional(v.array(PackageNameSchema)),
      disable: v.optional(v.array(PackageNameSchema)),
    }),
  ),
  hostname: v.optional(Name),
  /** Room that the root partition has at least, beside its content. */
  free: v.optional(SizeSchema),
  /** What a container of the image runs unless told otherwise. */
  command: v.optional(v.pipe(v.array(LineSchema, 'expected a list of words'), v.minLength(1))),
  /** Words for the kernel. */
  cmdline: v.optional(v.array(LineSchema, 'expected a list of words')),
  /** Repositories that the device knows. */
  repositories: v.optional(v.array(RepositorySchema, 'expected a list of repositories')),
  formats: v.optional(v.array(v.picklist(FORMATS, `expected one of ${FORMATS.join(', ')}`))),
  /** Those of the board, then those of system and image; of one name, they are one. */
  partitions: v.optional(
    v.pipe(
      v.array(PartitionSchema, 'expected a list of partitions'),
      v.check(
        (partitions) => areDistinct(partitions.map(({ name }) => name)),
        'expected partitions of different names',
      ),
    ),
  ),
  /** Paths of packages that the image does without. */
  skip: v.optional(v.array(v.string('expected a path pattern'))),
  boot: v.optional(
    v.strictObject({
      /** A regular expression; the boot is over when the console shows it. */
      sentinel: v.pipe(v.string(), v.check(isPattern, 'expected a regular expression')),
      /** Typed at the console after the sentinel, to come to a shell. */
      login: v.optional(v.array(LineSchema)),
    }),
  ),
  checks: v.optional(v.array(CheckSchema, 'expected a list of checks')),
  budgets: v.optional(
    v.strictObject({
      imageSize: v.optional(SizeSchema),
      bootSeconds: v.optional(seconds),
      idleMemory: v.optional(SizeSchema),
    }),
  ),
};

export const ProfileSchema = v.strictObject({
  profiles: v.optional(v.array(Name, 'expected a list of profiles')),
  ...layerFields,
});

export const SystemSchema = v.strictObject({
  profiles: v.optional(v.array(Name, 'expected a list of profiles')),
  ...layerFields,
});

const LOADERS = ['direct', 'systemd-boot', 'grub', 'u-boot', 'raspberry-pi', 'none'] as const;

const InitramfsSchema = v.strictObject({
  /** Whose programs it has, with the libraries that they need. */
  packages: v.optional(v.array(PackageNameSchema, 'expected a list of packages'), ['busybox']),
  /** Modules of the kernel that are loaded before the root is looked for, with what they need. */
  modules: v.optional(v.array(Module, 'expected a list of modules'), []),
  compression: v.optional(v.picklist(['zstd', 'gzip'], 'expected zstd or gzip'), 'zstd'),
});

export const BoardSchema = v.strictObject({
  arch: v.picklist(['x86_64', 'aarch64'], 'expected x86_64 or aarch64'),
  ...layerFields,
  /** How the machine starts: `direct` where QEMU is given the kernel, `none` where the image has none. */
  loader: v.picklist(LOADERS, `expected one of ${LOADERS.join(', ')}`),
  /** Path of the kernel in the image; `*` and `?` stand for what a version may change. */
  kernel: v.optional(RootPath),
  /** QEMU is given the kernel unpacked, which spares an emulated machine that work. */
  unpackKernel: v.optional(v.boolean('expected true or false'), false),
  initramfs: v.optional(InitramfsSchema),
  /** Files of packages that the boot partition holds too, such as firmware and device trees. */
  bootFiles: v.optional(
    v.array(v.strictObject({ from: RootPath, to: v.optional(RelativePath) }), 'expected a list of files'),
    [],
  ),
  /** What starts the disk, of the board's partitions, that its live medium can be installed to; none is carried without. */
  installs: v.optional(v.picklist(['systemd-boot'], 'expected systemd-boot')),
  /** Of the partition table; GPT without. */
  table: v.optional(v.picklist(['gpt', 'mbr'], 'expected gpt or mbr'), 'gpt'),
  console: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9,]+$/, 'expected a console such as ttyS0'))),
  /** How QEMU plays the board; without it the image is checked by structure alone. */
  qemu: v.optional(
    v.strictObject({
      machine: LineSchema,
      cpu: v.optional(LineSchema),
      memory: v.optional(SizeSchema, '256M'),
      /** Device that shows the disk; `sd` is the slot of a board, for cards whose size is a power of two. */
      disk: v.optional(LineSchema, 'virtio-blk-pci'),
      /** What starts the boot loader, or is it; `uefi` without. */
      firmware: v.optional(v.picklist(['bios', 'uefi', 'u-boot'], 'expected bios, uefi or u-boot')),
      /** Path of U-Boot in the image. */
      uBoot: v.optional(RootPath),
      /** Path of the device tree in the image. With it QEMU is given kernel and initramfs in place of a loader that it cannot run. */
      deviceTree: v.optional(RootPath),
      /** Which serial port is the console, counted from 1. */
      serialPort: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4)), 1),
      network: v.optional(LineSchema, 'virtio-net-pci'),
      arguments: v.optional(v.array(LineSchema)),
    }),
  ),
});

export const ImageSchema = v.strictObject({
  system: Name,
  board: Name,
  profiles: v.optional(v.array(Name, 'expected a list of profiles')),
  ...layerFields,
});

export type Profile = v.InferOutput<typeof ProfileSchema>;
export type Board = v.InferOutput<typeof BoardSchema>;
export type ImageUser = v.InferOutput<typeof UserSchema>;
export type Partition = v.InferOutput<typeof PartitionSchema>;
export type Initramfs = v.InferOutput<typeof InitramfsSchema>;
export type FileSystem = (typeof FILE_SYSTEMS)[number];
export type Format = (typeof FORMATS)[number];

function sizeInBytes(text: string): number {
  const unit = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[text.slice(-1)] ?? 1;
  return Number.parseInt(text, 10) * unit;
}

function areDistinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'm') instanceof RegExp;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** What a boot loader needs beside the kernel: files for the boot partition, made of what packages brought. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { comparePaths } from '#schema/path';
import { sha256 } from '#schema/digest';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { globToRegExp } from '#pkgbuild/tree';
import { GRUB_FOLDER } from './bios-boot.ts';
import type { Definition } from './definition.ts';
import type { Board, Partition } from './definition-schema.ts';
import type { RootEntry } from './description.ts';
import { derivedUuid } from './disk.ts';
import { grubMenu } from './grub.ts';
import { writeInRoot } from './root-path.ts';
import type { Tree } from './split-tree.ts';

export interface BootRequest {
  readonly definition: Definition;
  readonly tree: Tree;
  /** Path of the kernel in the tree. */
  readonly kernel: string;
  readonly initramfs: Uint8Array | undefined;
  readonly cmdline: string;
}

/** A file of the boot partition; packages own it where it is a copy. */
interface BootFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly packages: readonly string[];
}

type BootLoader = Exclude<Board['loader'], 'direct' | 'grub' | 'none'>;

const LOADERS: Readonly<Record<BootLoader, (request: BootRequest) => BootFile[]>> = {
  'systemd-boot': systemdBoot,
  'u-boot': uBoot,
  'raspberry-pi': raspberryPi,
};

/**
 * Puts the files of the loader where the boot partition is mounted. @returns the tree with them
 * @throws IcepkgError `image-failed` where the partition or a file of a package is missing
 */
export function addBootFiles(request: BootRequest): Tree {
  const { definition, tree } = request;
  const { hardware } = definition;
  const loader = hardware.loader === 'grub' ? hardware.installs : hardware.loader;
  if (loader === undefined || loader === 'direct' || loader === 'none') return tree;
  const mount = bootMount(definition);
  const known = new Map(tree.entries.map((entry) => [entry.path, entry]));
  const grub = definition.partitions.some(({ type }) => type === 'bios') ? [grubConfig(request)] : [];
  const files = [...LOADERS[loader](request), ...grub, ...copies(request)];
  for (const { path: file, content, packages } of files) {
    const whole = `${mount}/${file}`;
    for (const folder of parents(whole)) {
      const there = known.get(folder);
      if (there === undefined) known.set(folder, makeFolder(tree.folder, folder));
      else if (there.type !== 'directory')
        throw new IcepkgError('image-failed', `/${folder} is no folder, and the boot files need it`, {
          hint: 'Take it out of the overlay or the package that brings it',
        });
    }
    writeInRoot(tree.folder, whole, content);
    // Writing changed the times of the folder.
    for (const one of [whole, path.posix.dirname(whole)]) setTimes(path.join(tree.folder, one));
    const facts = { size: content.length, sha256: sha256(content), packages: [...packages] };
    known.set(whole, { path: whole, type: 'file', mode: 0o644, uid: 0, gid: 0, ...facts });
  }
  return { folder: tree.folder, entries: [...known.values()].sort((a, b) => comparePaths(a.path, b.path)) };
}

/** The kernel's path in the tree. @throws IcepkgError `image-failed` where none, or more than one, is there */
export function findKernel(tree: Tree, pattern: string): string {
  const [kernel, ...others] = matching(tree, pattern).map((entry) => entry.path);
  if (kernel !== undefined && others.length === 0) return kernel;
  throw new IcepkgError(
    'image-failed',
    kernel === undefined
      ? `no package of the image brings the kernel ${pattern}`
      : `several files of the image are the kernel ${pattern}: ${[kernel, ...others].join(', ')}`,
    { hint: 'Take one kernel package into the board, or mend kernel' },
  );
}

const matching = ({ entries }: Tree, pattern: string): RootEntry[] => {
  const glob = globToRegExp(pattern);
  return entries.filter(({ type, path: file }) => type === 'file' && glob.test(file));
};

/** What the board wants beside its loader's own files. */
function copies(request: BootRequest): BootFile[] {
  return request.definition.hardware.bootFiles.flatMap(({ from, to = '.' }) => {
    const found = matching(request.tree, from);
    if (found.length === 0) throw noSource(request.definition, from);
    return found.map((entry) =>
      copyOf(request, entry.path, path.posix.join(to, path.posix.basename(entry.path))),
    );
  });
}

const bootPartition = ({ partitions }: Definition): Partition | undefined =>
  partitions.find(({ type }) => type === 'esp') ?? partitions.find(({ type }) => type === 'boot');

/** Of the file system of the boot partition, as GRUB writes it. @throws IcepkgError `image-failed` where there is none */
export function bootUuid(definition: Definition, key: string): string {
  const partition = bootPartition(definition);
  if (partition === undefined) throw noBootPartition(definition);
  const uuid = derivedUuid(key, 'filesystem', partition.name);
  return partition.filesystem === 'vfat' ? `${uuid.slice(0, 4)}-${uuid.slice(4, 8)}` : uuid;
}

function bootMount(definition: Definition): string {
  const mount = bootPartition(definition)?.mount;
  if (mount !== undefined) return mount.slice(1);
  throw noBootPartition(definition);
}

const noBootPartition = ({ board }: Definition): IcepkgError =>
  new IcepkgError('image-failed', `${board}: there is no boot partition with a mount point`, {
    hint: 'Add one to the partitions of the board: {name: esp, type: esp, filesystem: vfat, mount: /boot}',
  });

/** Names of removable media, UEFI 2.10, 3.5.1.1. */
const EFI_NAMES: Readonly<Record<MachineArch, string>> = { x86_64: 'x64', aarch64: 'aa64' };

/** As the Boot Loader Specification has it, type 1 entries. */
function systemdBoot(request: BootRequest): BootFile[] {
  const { definition, initramfs, cmdline } = request;
  const name = EFI_NAMES[definition.arch];
  const { place, files } = efiKernel(request);
  const entry = [
    `title ${definition.system}`,
    `linux /${place}`,
    ...(initramfs === undefined ? [] : [`initrd /${INITRAMFS}`]),
    `options ${cmdline}`,
  ];
  return [
    copyOf(
      request,
      `usr/lib/systemd/boot/efi/systemd-boot${name}.efi`,
      `EFI/BOOT/BOOT${name.toUpperCase()}.EFI`,
    ),
    made('loader/loader.conf', `timeout 0\ndefault ${definition.system}.conf\n`),
    made(`loader/entries/${definition.system}.conf`, `${entry.join('\n')}\n`),
    ...files,
  ];
}

/** For machines that start by BIOS. */
function grubConfig(request: BootRequest): BootFile {
  const { definition, initramfs, cmdline } = request;
  const linux = `/${kernelFiles(request).place}`;
  const initrd = initramfs === undefined ? undefined : `/${INITRAMFS}`;
  return made(`${GRUB_FOLDER}/grub.cfg`, grubMenu(definition, { linux, cmdline, initrd }));
}

/** Firmware starts programs as they are: what is packed, as kernels for aarch64 may be, lies on the boot partition unpacked. */
function efiKernel(request: BootRequest): ReturnType<typeof kernelFiles> {
  const found = kernelFiles(request);
  const { content, packages } = copyOf(request, request.kernel, found.place);
  if (Buffer.from(content.subarray(0, 2)).readUInt16BE() !== GZIP) return found;
  const unpacked = { path: `${found.place}.efi`, content: gunzipSync(content), packages };
  return {
    place: unpacked.path,
    files: [...found.files.filter((file) => file.path !== found.place), unpacked],
  };
}

/** U-Boot's own menu file, in the syntax of extlinux. */
function uBoot(request: BootRequest): BootFile[] {
  const { definition, initramfs, cmdline } = request;
  const { place, files } = kernelFiles(request);
  const menu = [
    `default ${definition.system}`,
    `label ${definition.system}`,
    `  linux /${place}`,
    ...(initramfs === undefined ? [] : [`  initrd /${INITRAMFS}`]),
    `  append ${cmdline}`,
  ];
  return [made('extlinux/extlinux.conf', `${menu.join('\n')}\n`), ...files];
}

/** What the firmware of the Raspberry Pi reads; the firmware itself is among the board's `bootFiles`. */
function raspberryPi(request: BootRequest): BootFile[] {
  const { definition, initramfs, cmdline } = request;
  const { place, files } = kernelFiles(request);
  const config = [
    ...(definition.arch === 'aarch64' ? ['arm_64bit=1'] : []),
    'enable_uart=1',
    `kernel=${place}`,
    ...(initramfs === undefined ? [] : [`initramfs ${INITRAMFS} followkernel`]),
  ];
  return [made('config.txt', `${config.join('\n')}\n`), made('cmdline.txt', `${cmdline}\n`), ...files];
}

/** What a file begins with that gzip made, RFC 1952. */
const GZIP = 0x1f8b;
const INITRAMFS = 'initramfs.img';

/** Where the kernel is on the boot partition, and what must be added: its package may put it there itself. */
function kernelFiles(request: BootRequest): { readonly place: string; readonly files: BootFile[] } {
  const { definition, kernel, initramfs } = request;
  const mount = bootMount(definition);
  const own = kernel.startsWith(`${mount}/`);
  const place = own ? kernel.slice(mount.length + 1) : path.posix.basename(kernel);
  const files = own ? [] : [copyOf(request, kernel, place)];
  return { place, files: initramfs === undefined ? files : [...files, made(INITRAMFS, initramfs)] };
}

const made = (file: string, content: string | Uint8Array): BootFile => ({
  path: file,
  content: Buffer.from(content),
  packages: [],
});

/** Where the first file of packages that fits is on disk. @throws IcepkgError `image-failed` where none brings it */
export function packaged(definition: Definition, tree: Tree, pattern: string): string {
  const [entry] = matching(tree, pattern);
  if (entry === undefined) throw noSource(definition, pattern);
  return path.join(tree.folder, entry.path);
}

function copyOf({ tree, definition }: BootRequest, file: string, to: string): BootFile {
  const entry = tree.entries.find((one) => one.path === file);
  if (entry?.type !== 'file') throw noSource(definition, file);
  return { path: to, content: fs.readFileSync(path.join(tree.folder, file)), packages: entry.packages };
}

const noSource = ({ board }: Definition, file: string): IcepkgError =>
  new IcepkgError('image-failed', `no package of the image brings ${file}`, {
    hint: `Add the package of the boot loader to the board ${board}`,
  });

/** Outermost first. */
function parents(file: string): string[] {
  const names = file.split('/').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

function makeFolder(tree: string, folder: string): RootEntry {
  const whole = path.join(tree, folder);
  fs.mkdirSync(whole, { recursive: true, mode: 0o755 });
  for (const one of [whole, path.dirname(whole)]) setTimes(one);
  return { path: folder, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, packages: [] };
}

const setTimes = (file: string): void => fs.lutimesSync(file, BUILD_EPOCH, BUILD_EPOCH);

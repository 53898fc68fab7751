/** A live system on an ISO 9660 that starts from optical and other media, by BIOS and by UEFI, with GRUB. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { run } from '#pkgbuild/command';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { walkTree } from '#pkgbuild/tree';
import { liveCommandLine } from './command-line.ts';
import type { Definition } from './definition.ts';
import { derivedUuid } from './disk.ts';
import { requireTools } from './fakeroot.ts';
import { makeFileSystem } from './filesystems.ts';
import type { Tree } from './split-tree.ts';

export interface IsoRequest {
  readonly definition: Definition;
  readonly key: string;
  readonly tree: Tree;
  /** Path of the kernel in the tree. */
  readonly kernel: string;
  readonly initramfs: Uint8Array | undefined;
  readonly output: string;
  readonly scratch: string;
  /** Writes what the system is installed from to the path given; called when nothing else is wanted of the tree. */
  readonly writeInstaller?: ((output: string) => Promise<void>) | undefined;
}

interface Platform {
  /** As grub-mkimage calls it. */
  readonly format: string;
  /** Folder of its modules below `usr/lib/grub`, as packages bring them. */
  readonly modules: string;
}

const UEFI: Readonly<Record<MachineArch, Platform & { readonly file: string }>> = {
  x86_64: { format: 'x86_64-efi', modules: 'x86_64-efi', file: 'BOOTX64.EFI' },
  aarch64: { format: 'arm64-efi', modules: 'arm64-efi', file: 'BOOTAA64.EFI' },
};
const BIOS: Platform = { format: 'i386-pc-eltorito', modules: 'i386-pc' };
/** What it takes to find the medium, read the menu and start a kernel, which on aarch64 may be compressed by gzip. */
const MODULES = [
  'iso9660',
  'normal',
  'linux',
  'gzio',
  'search',
  'search_label',
  'configfile',
  'echo',
  'test',
  'part_gpt',
];

/** @throws IcepkgError `image-failed` where the initramfs or GRUB is missing, `tool-missing` */
export async function writeIso(request: IsoRequest): Promise<void> {
  requireTools({
    xorriso: 'xorriso',
    'grub-mkimage': 'grub-common',
    'mkfs.vfat': 'dosfstools',
    mcopy: 'mtools',
  });
  const { definition, key, tree, kernel, initramfs, output, scratch } = request;
  if (initramfs === undefined)
    throw new IcepkgError('image-failed', `${definition.name}: a live system needs an initramfs`, {
      hint: 'Add initramfs to the board; its /init finds the root on the medium',
    });
  const folder = path.join(scratch, 'iso');
  const label = volumeLabel(definition.name);
  for (const name of ['boot/grub', 'live']) fs.mkdirSync(path.join(folder, name), { recursive: true });
  await makeFileSystem({
    kind: 'squashfs',
    tree: tree.folder,
    entries: tree.entries,
    output: path.join(folder, 'live/root.squashfs'),
    name: 'live',
    uuid: derivedUuid(key, 'filesystem', 'live'),
  });
  fs.copyFileSync(path.join(tree.folder, kernel), path.join(folder, 'boot/vmlinuz'));
  fs.writeFileSync(path.join(folder, 'boot/initramfs.img'), initramfs);
  fs.writeFileSync(path.join(folder, 'boot/grub/grub.cfg'), menu(definition, label));
  const early = path.join(scratch, 'early.cfg');
  fs.writeFileSync(
    early,
    `search --set=root --label ${label}\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n`,
  );
  const uefi = await uefiPartition(request, early);
  const bios = definition.arch === 'x86_64' ? await biosArguments(request, { early, folder }) : [];
  await request.writeInstaller?.(path.join(folder, 'live/installer.squashfs'));
  for (const { path: file } of walkTree(folder, {
    holder: 'the medium holds',
    code: 'image-failed',
    nodes: false,
  }))
    setTimes(path.join(folder, file));
  const volume = ['-V', label, '-o', output, '-uid', '0', '-gid', '0'];
  const time = stamp(BUILD_EPOCH);
  const ids = [
    `--modification-date=${time}`,
    '--set_all_file_dates',
    time,
    '--gpt_disk_guid',
    derivedUuid(key, 'disk'),
  ];
  const esp = ['-partition_offset', '16', '-append_partition', '2', '0xef', uefi, '-appended_part_as_gpt'];
  const boot = [
    '-c',
    'boot/boot.cat',
    ...bios,
    '-e',
    '--interval:appended_partition_2:all::',
    '-no-emul-boot',
  ];
  await must(['xorriso', '-as', 'mkisofs', '-quiet', '-r', ...volume, ...ids, ...esp, ...boot, folder]);
}

/** Letters, digits and underscores, 32 of them at most: what every reader of ISO 9660 knows. */
export const volumeLabel = (name: string): string =>
  name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9_]/g, '_')
    .slice(0, 32);

function menu(definition: Definition, label: string): string {
  const serial = definition.hardware.console?.startsWith('ttyS') === true;
  return [
    ...(serial
      ? ['serial --unit=0 --speed=115200', 'terminal_input serial console', 'terminal_output serial console']
      : []),
    'set timeout=0',
    `menuentry "${definition.system}" {`,
    `  linux /boot/vmlinuz ${liveCommandLine(definition, label)}`,
    '  initrd /boot/initramfs.img',
    '}',
    '',
  ].join('\n');
}

/** A FAT with GRUB for UEFI. @returns its path */
async function uefiPartition({ definition, key, tree, scratch }: IsoRequest, early: string): Promise<string> {
  const platform = UEFI[definition.arch];
  const folder = path.join(scratch, 'uefi');
  fs.mkdirSync(path.join(folder, 'EFI/BOOT'), { recursive: true });
  const program = path.join(folder, 'EFI/BOOT', platform.file);
  await makeGrub(tree, platform, {
    early,
    output: program,
    more: ['part_msdos', 'fat', 'efi_gop', 'serial', 'terminal'],
  });
  for (const file of ['EFI/BOOT', 'EFI', `EFI/BOOT/${platform.file}`]) setTimes(path.join(folder, file));
  const image = path.join(scratch, 'uefi.img');
  const serial = derivedUuid(key, 'filesystem', 'uefi').slice(0, 8);
  // Firmware reads FAT12 as well, and nothing is ever added here.
  const size = Math.ceil((fs.statSync(program).size + 64 * 1024) / 32768) * 32768;
  fs.writeFileSync(image, '');
  fs.truncateSync(image, size);
  await must(['mkfs.vfat', '--invariant', '-F', '12', '-i', serial, '-n', 'UEFI', image]);
  await must(['mcopy', '-spmQ', '-i', image, path.join(folder, 'EFI'), '::/'], { MTOOLS_SKIP_CHECK: '1' });
  return image;
}

/** GRUB for BIOS, on the medium as an El Torito image and in front of it as an MBR. */
async function biosArguments(
  { tree }: IsoRequest,
  { early, folder }: { readonly early: string; readonly folder: string },
): Promise<string[]> {
  const name = 'boot/grub/bios.img';
  await makeGrub(tree, BIOS, {
    early,
    output: path.join(folder, name),
    more: ['biosdisk', 'serial', 'terminal'],
  });
  const mbr = ['--grub2-mbr', path.join(grubFolder(tree, BIOS), 'boot_hybrid.img')];
  const image = [
    '-b',
    name,
    '-no-emul-boot',
    '-boot-load-size',
    '4',
    '-boot-info-table',
    '--grub2-boot-info',
  ];
  return [...mbr, ...image, '-eltorito-alt-boot'];
}

async function makeGrub(
  tree: Tree,
  platform: Platform,
  {
    early,
    output,
    more,
  }: { readonly early: string; readonly output: string; readonly more: readonly string[] },
): Promise<void> {
  const modules = grubFolder(tree, platform);
  const where = ['-O', platform.format, '-d', modules, '-p', '/boot/grub', '-c', early, '-o', output];
  await must(['grub-mkimage', ...where, ...MODULES, ...more]);
}

function grubFolder(tree: Tree, { modules }: Platform): string {
  const folder = path.join(tree.folder, 'usr/lib/grub', modules);
  if (fs.existsSync(folder)) return folder;
  throw new IcepkgError('image-failed', `no package of the image brings usr/lib/grub/${modules}`, {
    hint: 'Add grub-efi, and grub-pc on x86_64, to the packages of the board',
  });
}

async function must(argv: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<void> {
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    TZ: 'UTC',
    SOURCE_DATE_EPOCH: String(BUILD_EPOCH),
  };
  const result = await run(argv, { env: { ...env, ...more } });
  if (result.status !== 0)
    throw new IcepkgError('image-failed', `${argv[0] ?? ''}: ${(result.stderr || result.stdout).trim()}`);
}

/** `YYYYMMDDhhmmsscc`. */
const stamp = (seconds: number): string =>
  `${new Date(seconds * 1000)
    .toISOString()
    .replaceAll(/[^0-9]/g, '')
    .slice(0, 14)}00`;

const setTimes = (file: string): void => fs.lutimesSync(file, BUILD_EPOCH, BUILD_EPOCH);

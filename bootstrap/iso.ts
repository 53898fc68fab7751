/** A live system on an ISO 9660 that starts from optical and other media, by BIOS and by UEFI, with GRUB. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { walkTree } from '#pkgbuild/tree';
import { liveCommandLine } from './command-line.ts';
import type { Definition } from './definition.ts';
import { derivedUuid } from './disk.ts';
import { requireTools } from './fakeroot.ts';
import { makeFileSystem } from './filesystems.ts';
import { grubFolder, grubMenu, makeGrub, must, type Platform } from './grub.ts';
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

const UEFI: Readonly<Record<MachineArch, Platform & { readonly file: string }>> = {
  x86_64: { format: 'x86_64-efi', modules: 'x86_64-efi', file: 'BOOTX64.EFI' },
  aarch64: { format: 'arm64-efi', modules: 'arm64-efi', file: 'BOOTAA64.EFI' },
};
const BIOS: Platform = { format: 'i386-pc-eltorito', modules: 'i386-pc' };
const PREFIX = '/boot/grub';
/** What it takes to find the medium. */
const MODULES = ['iso9660', 'search_label', 'serial', 'terminal'];

/** @throws IcepkgError `image-failed` where the initramfs or GRUB is missing, `tool-missing` */
export async function writeIso(request: IsoRequest): Promise<void> {
  requireTools({ xorriso: 'xorriso', 'mkfs.vfat': 'dosfstools', mcopy: 'mtools' });
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
  const menu = grubMenu(definition, {
    linux: '/boot/vmlinuz',
    cmdline: liveCommandLine(definition, label),
    initrd: '/boot/initramfs.img',
  });
  fs.writeFileSync(path.join(folder, 'boot/grub/grub.cfg'), menu);
  const search = `--label ${label}`;
  const uefi = await uefiPartition(request, search);
  const bios = definition.arch === 'x86_64' ? await biosArguments(request, { search, folder }) : [];
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

/** A FAT with GRUB for UEFI. @returns its path */
async function uefiPartition(
  { definition, key, tree, scratch }: IsoRequest,
  search: string,
): Promise<string> {
  const platform = UEFI[definition.arch];
  const folder = path.join(scratch, 'uefi');
  fs.mkdirSync(path.join(folder, 'EFI/BOOT'), { recursive: true });
  const program = path.join(folder, 'EFI/BOOT', platform.file);
  const modules = [...MODULES, 'part_msdos', 'fat', 'efi_gop'];
  await makeGrub({ tree, platform, prefix: PREFIX, search, modules, output: program, scratch });
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
  { tree, scratch }: IsoRequest,
  { search, folder }: { readonly search: string; readonly folder: string },
): Promise<string[]> {
  const name = 'boot/grub/bios.img';
  const modules = [...MODULES, 'biosdisk'];
  const output = path.join(folder, name);
  await makeGrub({ tree, platform: BIOS, prefix: PREFIX, search, modules, output, scratch });
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

/** `YYYYMMDDhhmmsscc`. */
const stamp = (seconds: number): string =>
  `${new Date(seconds * 1000)
    .toISOString()
    .replaceAll(/[^0-9]/g, '')
    .slice(0, 14)}00`;

const setTimes = (file: string): void => fs.lutimesSync(file, BUILD_EPOCH, BUILD_EPOCH);

/**
 * GRUB on a disk that BIOS starts: code in the first sector of the disk, which loads the rest of it from the BIOS boot partition. What
 * grub-install does on a running machine; the places are those of GRUB's `include/grub/offsets.h` and `i386/pc/boot.h`.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { grubFolder, makeGrub, type Platform } from './grub.ts';
import type { Tree } from './split-tree.ts';

export interface BiosBootRequest {
  readonly tree: Tree;
  /** UUID of the file system with the menu, as GRUB writes it. */
  readonly bootUuid: string;
  readonly scratch: string;
}

export interface BiosBoot {
  /** Code for the first sector of the disk. */
  readonly sector: Buffer;
  /** File with the content of the partition. */
  readonly core: string;
}

const PLATFORM: Platform = { format: 'i386-pc', modules: 'i386-pc' };
/** Folder of the menu on the boot partition. */
export const GRUB_FOLDER = 'grub';
/** Of the first sector, how much is code; the rest is the partition table. */
const CODE_SIZE = 440;
/** Where the code has the sector of the core, 64 bits. */
const KERNEL_SECTOR = 0x5c;
/** A jump over what mends the number of the drive, which some firmware gives wrong for disks. */
const DRIVE_CHECK = 0x66;
const NO_OPERATION = 0x90;
/** Where the first sector of the core has the one after it, 64 bits. */
const NEXT_SECTOR = 0x1f4;

/** @throws IcepkgError `image-failed` where no package brings GRUB for BIOS, `tool-missing` */
export async function makeBiosBoot({ tree, bootUuid, scratch }: BiosBootRequest): Promise<BiosBoot> {
  const core = path.join(scratch, 'core.img');
  await makeGrub({
    tree,
    platform: PLATFORM,
    prefix: `/${GRUB_FOLDER}`,
    search: `--fs-uuid ${bootUuid}`,
    modules: ['biosdisk', 'search_fs_uuid', 'fat', 'ext2', 'serial', 'terminal'],
    output: core,
    scratch,
  });
  return { sector: fs.readFileSync(path.join(grubFolder(tree, PLATFORM), 'boot.img')), core };
}

/** Tells both parts the first sector of the partition, and puts the code into the disk. */
export function placeBiosBoot(disk: string, { sector, core }: BiosBoot, start: number): void {
  const code = Buffer.from(sector.subarray(0, CODE_SIZE));
  code.writeBigUInt64LE(BigInt(start), KERNEL_SECTOR);
  code.fill(NO_OPERATION, DRIVE_CHECK, DRIVE_CHECK + 2);
  writeAt(disk, code, 0);
  const next = Buffer.alloc(8);
  next.writeBigUInt64LE(BigInt(start + 1));
  writeAt(core, next, NEXT_SECTOR);
}

function writeAt(file: string, bytes: Buffer, position: number): void {
  const fd = fs.openSync(file, 'r+');
  try {
    fs.writeSync(fd, bytes, 0, bytes.length, position);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Sets all times of the files in an ext4 file system. mke2fs takes the change time from the kernel, which nobody can set, and debugfs
 * needs several system calls for each field of each file. Layout: kernel documentation, `filesystems/ext4`.
 */
import * as fs from 'node:fs';
import { IcepkgError } from '#schema/error';

const SUPERBLOCK = 1024;
const ROOT_INODE = 2;
/** Those before it are the file system's own, and have no name. */
const FIRST_INODE = 11;
/** Offsets in an inode: atime, ctime, mtime, crtime; then what these have beyond seconds, in the same order. */
const SECONDS = [0x08, 0x0c, 0x10, 0x90];
const BEYOND = [0x8c, 0x84, 0x88, 0x94];
const GENERATION = 0x64;
const CHECKSUM_LOW = 0x7c;
const CHECKSUM_HIGH = 0x82;

/** @throws IcepkgError `image-failed` where the file system is not as it is understood here */
export function setExt4Times(file: string, time: number): void {
  const fd = fs.openSync(file, 'r+');
  try {
    const layout = readLayout(fd);
    for (const [group, position] of layout.tables.entries()) {
      const table = readAt(fd, position, layout.inodesPerGroup * layout.inodeSize);
      for (let index = 0; index < layout.inodesPerGroup; index++) {
        const number = group * layout.inodesPerGroup + index + 1;
        const inode = table.subarray(index * layout.inodeSize, (index + 1) * layout.inodeSize);
        const isUsed = inode.readUInt16LE(0) !== 0 && (number === ROOT_INODE || number >= FIRST_INODE);
        if (isUsed) stamp(inode, time, inodeSeed(layout.seed, number, inode));
      }
      fs.writeSync(fd, table, 0, table.length, position);
    }
  } finally {
    fs.closeSync(fd);
  }
}

interface Layout {
  readonly inodesPerGroup: number;
  readonly inodeSize: number;
  /** Of each group, where its inodes are, in bytes. */
  readonly tables: readonly number[];
  /** What checksums begin with. */
  readonly seed: number;
}

function readLayout(fd: number): Layout {
  const sb = readAt(fd, SUPERBLOCK, 1024);
  const blockSize = 1024 << sb.readUInt32LE(0x18);
  const inodesPerGroup = sb.readUInt32LE(0x28);
  const inodeSize = sb.readUInt16LE(0x58);
  const descriptorSize = Math.max(sb.readUInt16LE(0xfe), 32);
  const groups = Math.ceil(sb.readUInt32LE(0) / inodesPerGroup);
  const descriptors = readAt(fd, Math.max(blockSize, 2 * SUPERBLOCK), groups * descriptorSize);
  const tables = Array.from({ length: groups }, (_, group) => {
    const at = group * descriptorSize;
    const high = descriptorSize >= 64 ? descriptors.readUInt32LE(at + 0x28) : 0;
    return (high * 2 ** 32 + descriptors.readUInt32LE(at + 8)) * blockSize;
  });
  return { inodesPerGroup, inodeSize, tables, seed: crc32c(~0, sb.subarray(0x68, 0x78)) };
}

/** Every checksum of an inode begins with those of its number and its generation. */
function inodeSeed(seed: number, number: number, inode: Buffer): number {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(number);
  inode.copy(bytes, 4, GENERATION, GENERATION + 4);
  return crc32c(seed, bytes);
}

function stamp(inode: Buffer, time: number, seed: number): void {
  const before = inode.readUInt16LE(CHECKSUM_LOW) | (inode.readUInt16LE(CHECKSUM_HIGH) << 16);
  if (checksum(inode, seed) !== before)
    throw new IcepkgError('image-failed', 'mke2fs made an ext4 whose checksums are not understood');
  for (const at of SECONDS) inode.writeUInt32LE(time, at);
  for (const at of BEYOND) inode.writeUInt32LE(0, at);
  const after = checksum(inode, seed);
  inode.writeUInt16LE(after & 0xffff, CHECKSUM_LOW);
  inode.writeUInt16LE(after >>> 16, CHECKSUM_HIGH);
}

/** The fields that hold it count as zero; they are left so. */
function checksum(inode: Buffer, seed: number): number {
  inode.writeUInt16LE(0, CHECKSUM_LOW);
  inode.writeUInt16LE(0, CHECKSUM_HIGH);
  return crc32c(seed, inode);
}

const POLYNOMIAL = 0x82f63b78;
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0);
  return value;
});

/** Castagnoli's, without the inversion at the end, which ext4 leaves out. */
function crc32c(seed: number, bytes: Uint8Array): number {
  let value = seed;
  for (const byte of bytes) value = (TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return value | 0;
}

function readAt(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  fs.readSync(fd, buffer, 0, length, position);
  return buffer;
}

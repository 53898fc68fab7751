/** Partition tables and what lies in the partitions: file systems in, a disk out. */
import { spawnSync } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import * as fs from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { placeBiosBoot, type BiosBoot } from './bios-boot.ts';
import type { Partition } from './definition-schema.ts';
import { requireTools } from './fakeroot.ts';

const MIB = 1024 ** 2;
/** Bytes that are copied at once. */
const CHUNK = 4 * MIB;
const SECTOR = 512;

/** Discoverable Partitions Specification, UAPI group. */
const TYPES: Readonly<Record<Partition['type'], string | Readonly<Record<MachineArch, string>>>> = {
  esp: 'C12A7328-F81F-11D2-BA4B-00C04FC93EC3',
  bios: '21686148-6449-6E6F-744E-656564454649',
  boot: 'BC13C2FF-59E6-4262-A352-B275FD6F7172',
  root: {
    x86_64: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
    aarch64: 'B921B045-1DF0-41C3-AF44-4C6F280D3FAE',
  },
  data: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  swap: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
};

export interface DiskPartition {
  readonly name: string;
  readonly type: Partition['type'];
  readonly uuid: string;
  /** Bytes; rounded up to whole MiB. */
  readonly size: number;
  /** The content; none leaves the partition empty. */
  readonly file: string | undefined;
  /** Of a BIOS boot partition: what it holds, and what starts it. */
  readonly bios?: BiosBoot;
}

/** A UUID that follows from what it is for, so that building again gives the same. */
export function derivedUuid(...parts: readonly string[]): string {
  const digest = sha256(parts.join('\0'));
  const variant = ((Number.parseInt(digest.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(13, 16)}`,
    `${variant}${digest.slice(18, 20)}`,
    digest.slice(20, 32),
  ].join('-');
}

export interface DiskFacts {
  /** UUID; an MBR takes its first eight digits. */
  readonly disk: string;
  readonly arch: MachineArch;
  readonly table: 'gpt' | 'mbr';
  /** QEMU takes only cards whose size is a power of two. */
  readonly card: boolean;
}

/** Type ids of an MBR. */
const MBR_TYPES: Readonly<Partial<Record<Partition['type'], string>>> = {
  esp: 'ef',
  boot: 'c',
  root: '83',
  data: '83',
  swap: '82',
};

/** Writes a disk with its partition table. @returns its sha256 @throws IcepkgError `image-failed`, `tool-missing` */
export async function writeDisk(
  output: string,
  partitions: readonly DiskPartition[],
  { disk, arch, table, card }: DiskFacts,
): Promise<string> {
  requireTools({ sfdisk: 'fdisk' });
  let offset = MIB;
  const placed = partitions.map((partition) => {
    const size = Math.ceil(partition.size / MIB) * MIB;
    const start = offset;
    offset += size;
    return { ...partition, start, size };
  });
  // The second copy of the table takes the last sectors.
  const least = offset + MIB;
  const total = card ? 2 ** Math.ceil(Math.log2(least)) : least;
  if (table === 'mbr' && placed.length > 4)
    throw new IcepkgError(
      'image-failed',
      `an MBR has room for four partitions, and there are ${placed.length}`,
      {
        hint: 'Take some out of the partitions of the board, or let its table be gpt',
      },
    );
  const lines = placed.map(({ name, type, uuid, start, size }) => {
    if (table === 'mbr')
      return `start=${start / SECTOR}, size=${size / SECTOR}, type=${MBR_TYPES[type] ?? ''}${type === 'boot' ? ', bootable' : ''}`;
    const id = TYPES[type];
    const kind = typeof id === 'string' ? id : id[arch];
    return `start=${start / SECTOR}, size=${size / SECTOR}, type=${kind}, uuid=${uuid}, name="${name}"`;
  });
  const head =
    table === 'gpt'
      ? ['label: gpt', `label-id: ${disk}`, 'first-lba: 34']
      : ['label: dos', `label-id: 0x${mbrId(disk)}`];
  const script = [...head, 'unit: sectors', '', ...lines, ''].join('\n');
  // The table first: sfdisk waits until all that is in the file is on the disk.
  fs.writeFileSync(output, '');
  fs.truncateSync(output, total);
  const result = spawnSync('/usr/sbin/sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', output], {
    input: script,
    encoding: 'utf8',
  });
  if (result.status !== 0)
    throw new IcepkgError('image-failed', `sfdisk: ${(result.stderr || result.stdout).trim()}`);
  for (const { bios, start } of placed) if (bios !== undefined) placeBiosBoot(output, bios, start / SECTOR);
  const handle = await open(output, 'r+');
  try {
    return await fill(handle, placed, total);
  } finally {
    await handle.close();
  }
}

/** Puts the partitions into the disk. @returns the digest of all of it */
async function fill(
  disk: FileHandle,
  placed: readonly { readonly file: string | undefined; readonly start: number }[],
  total: number,
): Promise<string> {
  const hash = createHash('sha256');
  let at = 0;
  const skipTo = async (end: number): Promise<void> => {
    for await (const chunk of chunksOf(disk, at, end)) hash.update(chunk);
    at = end;
  };
  for (const { file, start } of placed) {
    if (file === undefined) continue;
    await skipTo(start);
    at = await copyInto(disk, file, { start, hash });
  }
  await skipTo(total);
  return hash.digest('hex');
}

/** Copies a file into another, leaving holes where it is zero. @returns where it ends there */
async function copyInto(
  disk: FileHandle,
  file: string,
  { start, hash }: { readonly start: number; readonly hash: Hash },
): Promise<number> {
  const source = await open(file, 'r');
  const zeros = Buffer.alloc(CHUNK);
  try {
    let at = start;
    for await (const chunk of chunksOf(source, 0, Infinity)) {
      const isZero = zeros.subarray(0, chunk.length).equals(chunk);
      const written = isZero ? undefined : disk.write(chunk, 0, chunk.length, at);
      hash.update(chunk);
      await written;
      at += chunk.length;
    }
    return at;
  } finally {
    await source.close();
  }
}

/** What is in a file from `start` to `end` or its end; the next chunk is read while the caller works on one, which is then used again. */
async function* chunksOf(file: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  const read = async (buffer: Buffer, from: number): Promise<Buffer> => {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - from), from);
    return buffer.subarray(0, bytesRead);
  };
  let [current, other] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  let at = start;
  let next = read(current, at);
  for (let chunk = await next; chunk.length > 0; chunk = await next) {
    at += chunk.length;
    [current, other] = [other, current];
    next = read(current, at);
    yield chunk;
  }
}

/** The kernel calls the partitions of an MBR by this and their number. */
export const mbrId = (disk: string): string => disk.slice(0, 8);

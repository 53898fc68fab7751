/** What other tools say of an image's structure. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { ImageDescription } from '#bootstrap/description';
import { tool } from '../support/images.ts';

interface Partition {
  readonly start: number;
  readonly size: number;
  readonly type: string;
}

const SECTOR = 512;
const MIB = 1024 ** 2;
const BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649';

/** Tells the file system by its magic number, and how it is checked. */
const FILE_SYSTEMS = [
  { name: 'ext4', at: 0x438, magic: '53ef', check: ['e2fsck', '-fn'] },
  { name: 'squashfs', at: 0, magic: '68737173', check: ['unsquashfs', '-ls'] },
  { name: 'erofs', at: 1024, magic: 'e2e1f5e0', check: ['fsck.erofs'] },
  { name: 'vfat', at: 510, magic: '55aa', check: ['fsck.vfat', '-n'] },
] as const;

/**
 * Checks every output that is a disk, a medium or an archive, and every file system on it.
 * @returns what was found, such as `gpt: vfat, ext4`
 * @throws Error with what the tool said
 */
export function checkStructure(folder: string, { files }: ImageDescription, scratch: string): string {
  const found = files.flatMap(({ format, file }) => {
    const whole = path.join(folder, file);
    switch (format) {
      case 'img':
        return [checkDisk(whole, scratch)];
      case 'qcow2':
        tool('qemu-img', 'check', whole);
        return ['qcow2'];
      case 'iso':
        return [checkIso(whole)];
      case 'tar':
      case 'oci':
        return [`${format}: ${tool('tar', '-tf', whole).trim().split('\n').length} members`];
      default:
        return [];
    }
  });
  return found.join('; ');
}

function checkDisk(disk: string, scratch: string): string {
  const { partitiontable: table } = JSON.parse(tool('sfdisk', '--json', disk)) as {
    partitiontable: { label: string; partitions: readonly Partition[] };
  };
  const kinds = table.partitions.map(({ start, size, type }, index) => {
    const part = path.join(scratch, `part-${index}`);
    const [skip, count] = [start, size].map((sectors) => String((sectors * SECTOR) / MIB));
    tool(
      'dd',
      `if=${disk}`,
      `of=${part}`,
      'bs=1M',
      `skip=${skip}`,
      `count=${count}`,
      'conv=sparse',
      'status=none',
    );
    try {
      return type === BIOS_BOOT ? checkGrub(disk, part, start) : checkFileSystem(part);
    } finally {
      fs.rmSync(part);
    }
  });
  return `${table.label}: ${kinds.join(', ')}`;
}

function startOf(file: string): Buffer {
  const start = Buffer.alloc(4096);
  const fd = fs.openSync(file, 'r');
  fs.readSync(fd, start);
  fs.closeSync(fd);
  return start;
}

/** What the first sector of a disk reads is what the partition begins with. */
function checkGrub(disk: string, part: string, start: number): string {
  const sector = startOf(disk);
  if (!sector.subarray(0, 440).includes('GRUB ') || sector.readBigUInt64LE(0x5c) !== BigInt(start))
    throw new Error(`${disk}: the first sector does not lead to GRUB in sector ${start}`);
  if (!startOf(part).subarray(0, SECTOR).includes('loading')) throw new Error(`${part}: no GRUB`);
  return 'GRUB';
}

function checkFileSystem(file: string): string {
  const start = startOf(file);
  const kind = FILE_SYSTEMS.find(
    ({ at, magic }) => start.subarray(at, at + magic.length / 2).toString('hex') === magic,
  );
  if (kind === undefined) throw new Error(`${file}: no file system that we know`);
  const [program, ...flags] = kind.check;
  tool(program, ...flags, file);
  return kind.name;
}

function checkIso(file: string): string {
  const report = tool(
    'xorriso',
    '-indev',
    file,
    '-report_el_torito',
    'plain',
    '-report_system_area',
    'plain',
  );
  const ways = [
    ...(/El Torito boot img.* BIOS /.test(report) ? ['BIOS'] : []),
    ...(/El Torito boot img.* UEFI /.test(report) ? ['UEFI'] : []),
  ];
  if (ways.length === 0) throw new Error(`${file}: nothing starts it\n${report}`);
  return `iso: ${ways.join(' and ')}`;
}

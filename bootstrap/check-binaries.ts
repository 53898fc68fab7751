/** No program for another machine gets into an image, and nothing lacks a library. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import type { ComposedRoot } from './compose.ts';

/** `e_machine` of the ELF specification. */
const MACHINES: Readonly<Record<MachineArch, number>> = { x86_64: 62, aarch64: 183 };

/** @throws IcepkgError `image-failed` naming every ELF program or library for another machine */
export function checkBinaries({ folder, entries }: ComposedRoot, arch: MachineArch): void {
  const header = Buffer.alloc(20);
  const foreign: string[] = [];
  for (const { path: file, type, size, mode } of entries) {
    if (type !== 'file' || size < header.length || !isProgram(file, mode)) continue;
    const fd = fs.openSync(path.join(folder, file), 'r');
    try {
      fs.readSync(fd, header, 0, header.length, 0);
    } finally {
      fs.closeSync(fd);
    }
    if (header.readUInt32BE(0) === 0x7f454c46 && header.readUInt16LE(18) !== MACHINES[arch])
      foreign.push(file);
  }
  if (foreign.length > 0)
    throw new IcepkgError('image-failed', `not for ${arch}: ${foreign.join(', ')}`, {
      hint: 'Take these files out of the overlay, or report the package',
    });
}

/** Firmware for other processors is ELF too; it lies in its own folder and nothing runs it here. */
const isProgram = (file: string, mode: number): boolean =>
  !/^(?:usr\/)?lib\/firmware\//.test(file) &&
  ((mode & 0o111) !== 0 || file.includes('.so') || file.endsWith('.ko'));

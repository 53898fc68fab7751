/** Reads the files inside a package file, one after the other. */
import * as fs from 'node:fs';
import { openDecoder } from '#schema/container/codec';
import { openPackage } from '#schema/container/open';
import { readHeader } from '#schema/container/read';
import { checkPackageSize, readFrame } from '#schema/container/verify';
import type { Manifest, RegularFile } from '#schema/manifest';

export interface PackageContent {
  readonly manifest: Manifest;
  /** Bytes of the package file. */
  readonly size: number;
  /** Content of a file of the manifest; cheapest in the manifest's order, because files share frames. */
  read(file: RegularFile): Uint8Array;
}

/**
 * Opens a package for the time that `use` takes. Every frame is compared with its digest.
 * @throws IcepkgError `not-found`, `package-corrupt` or `format-invalid`
 */
export function withPackage<T>(file: string, use: (content: PackageContent) => T): T {
  const fd = openPackage(file);
  try {
    const { size } = fs.fstatSync(fd);
    const header = readHeader({ fd, size }, file);
    checkPackageSize(header, size, file);
    const source = { fd, headerSize: header.headerSize, decoder: openDecoder(header.codec), what: file };
    let held: { readonly number: number; readonly bytes: Uint8Array } | undefined;
    const frame = (number: number): Uint8Array => {
      if (held?.number === number) return held.bytes;
      const found = header.manifest.frames[number - 1];
      if (found === undefined) throw new Error(`${file}: there is no frame ${number}`);
      held = { number, bytes: readFrame(source, found) };
      return held.bytes;
    };
    return use({ manifest: header.manifest, size, read: (wanted) => contentOf(wanted, frame) });
  } finally {
    fs.closeSync(fd);
  }
}

function contentOf(file: RegularFile, frame: (number: number) => Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  let left = file.size;
  let offset = file.offset ?? 0;
  for (let number = file.frame ?? 0; left > 0; number++) {
    const piece = frame(number).subarray(offset, offset + left);
    pieces.push(piece);
    left -= piece.length;
    offset = 0;
  }
  return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
}

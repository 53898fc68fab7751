/** Digests of files that may be large, in bounded memory. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { IcepkgError, isErrno } from '#schema/error';

const PIECE = 1024 * 1024;

/** @throws IcepkgError `not-found` */
export function hashFile(file: string): { readonly size: number; readonly sha256: string } {
  const hash = createHash('sha256');
  const room = Buffer.allocUnsafe(PIECE);
  const fd = open(file);
  let total = 0;
  try {
    for (
      let size = fs.readSync(fd, room, 0, PIECE, null);
      size > 0;
      size = fs.readSync(fd, room, 0, PIECE, null)
    ) {
      hash.update(room.subarray(0, size));
      total += size;
    }
  } finally {
    fs.closeSync(fd);
  }
  return { size: total, sha256: hash.digest('hex') };
}

function open(file: string): number {
  try {
    return fs.openSync(file, 'r');
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR')) throw cause;
    throw new IcepkgError('not-found', `${file} is missing`, {
      hint: 'Restore it from a mirror or a backup',
      cause,
    });
  }
}

/** Opens package files, and names what is wrong with them; apart from the reader, because threads that only unpack need no more. */
import * as fs from 'node:fs';
import { IcepkgError, isErrno } from '../error.ts';

/** Opens a package file for reading. @throws IcepkgError `not-found` or `io-failed` naming it */
export function openPackage(file: string): number {
  try {
    const fd = fs.openSync(file, 'r');
    if (fs.fstatSync(fd).isFile()) return fd;
    fs.closeSync(fd);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR'))
      throw new IcepkgError('not-found', `${file}: no such file`, {
        cause,
        hint: 'Give the path of an .icepkg file',
      });
    throw new IcepkgError('io-failed', `${file}: cannot be read`, { cause });
  }
  throw new IcepkgError('package-corrupt', `${file}: not a regular file`);
}

/** The error for a package that is damaged or was not made by a packer. */
export function corrupt(what: string, why: string, cause?: unknown): IcepkgError {
  return new IcepkgError('package-corrupt', `${what}: ${why}`, {
    hint: 'Fetch or build the package again',
    ...(cause === undefined ? {} : { cause }),
  });
}

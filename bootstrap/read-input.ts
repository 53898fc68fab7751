/** Files that the user named, or should have made. */
import * as fs from 'node:fs';
import { IcepkgError, isErrno } from '#schema/error';

/** @param hint the way to such a file @throws IcepkgError `not-found` where it is not there, or not for this user */
export function readInput(file: string, hint: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR')) throw cause;
    throw new IcepkgError('not-found', `${file} cannot be read`, { cause, hint });
  }
}

/** Files that are replaced as a whole: written aside, flushed, renamed. */
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { makeFolder } from '../make-folder.ts';

/**
 * Replaces a file so that after a crash it holds either the old bytes or the new ones.
 * @param aside where it is written first; the same for all only where writers exclude each other
 */
export function replaceFile(file: string, bytes: Uint8Array, aside = `${file}.${process.pid}.new`): void {
  try {
    makeFolder(dirname(file));
    const fd = fs.openSync(aside, 'w', 0o644);
    try {
      fs.writeFileSync(fd, bytes);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(aside, file);
    syncDirectory(dirname(file));
  } catch (cause) {
    fs.rmSync(aside, { force: true });
    throw writeError(file, cause);
  }
}

export function removeFile(file: string): void {
  try {
    fs.rmSync(file, { force: true });
    if (fs.existsSync(dirname(file))) syncDirectory(dirname(file));
  } catch (cause) {
    throw writeError(file, cause);
  }
}

function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** What the system refuses, in words that name the file. */
export function writeError(file: string, cause: unknown): unknown {
  if (isErrno(cause, 'ENOSPC', 'EDQUOT')) return diskFull(file, cause);
  if (isErrno(cause, 'EROFS', 'EACCES', 'EPERM')) return readOnly(file, cause);
  return cause;
}

export const diskFull = (file: string, cause: unknown): IcepkgError =>
  new IcepkgError('disk-full', `no space to write ${file}`, {
    hint: 'Free some space, then run the command again',
    cause,
  });

export const readOnly = (file: string, cause: unknown): IcepkgError =>
  new IcepkgError('root-read-only', `cannot write ${file}`, {
    hint: 'Run the command as the owner of the root, on a file system that can be written',
    cause,
  });

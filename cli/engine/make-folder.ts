/** Folders that a user names. Node's own recursive `mkdir` never comes back below `/proc`. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';

/**
 * Makes a folder and all that is missing above it.
 * @returns the topmost one that was made, `undefined` where all were there
 * @throws IcepkgError `io-failed` where the file system takes no folders
 */
export function makeFolder(folder: string): string | undefined {
  const missing: string[] = [];
  for (let at = resolve(folder); statSync(at, { throwIfNoEntry: false }) === undefined; at = dirname(at))
    missing.push(at);
  for (const path of missing.toReversed()) makeOne(path);
  return missing.at(-1);
}

function makeOne(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return;
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new IcepkgError('io-failed', `the folder ${path} cannot be made`, {
      hint: 'Name another folder',
      cause: error,
    });
  }
}

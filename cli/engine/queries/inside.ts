/** Paths as a process inside the root sees them. */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';

/** The kernel's own bound on symlinks in one look-up. */
const MAX_LINKS = 40;

export function lstatInside(root: string, path: string): Stats | undefined {
  try {
    return lstatSync(join(root, path));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * Follows the symlinks of all components but the last, as after a chroot: `..` and absolute targets stay inside.
 * @returns the path relative to the root; components that do not exist are kept as they are
 * @throws IcepkgError `path-unsafe` where symlinks run in circles
 */
export function resolveInside(root: string, given: string): string {
  const ahead = given.split('/').filter((part) => part !== '' && part !== '.');
  const done: string[] = [];
  let links = 0;
  while (ahead.length > 0) {
    const part = ahead.shift() ?? '';
    if (part === '..') {
      done.pop();
      continue;
    }
    const path = [...done, part].join('/');
    if (ahead.length === 0 || lstatInside(root, path)?.isSymbolicLink() !== true) {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) {
      throw new IcepkgError('path-unsafe', `${given}: too many symlinks, they may run in circles`, {
        hint: `Look at the symlink /${path} in the root`,
      });
    }
    const target = readlinkSync(join(root, path));
    if (target.startsWith('/')) done.length = 0;
    ahead.unshift(...target.split('/').filter((one) => one !== '' && one !== '.'));
  }
  return done.join('/');
}

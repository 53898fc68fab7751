/**
 * Names below a root, reached through directory descriptors that never follow a symlink: whoever swaps a
 * directory for a symlink meanwhile gets an error, not a write elsewhere. Descriptors stay open, because
 * neighbours come one after the other.
 */
import { chmodSync, closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { IcepkgError, isErrno } from '#schema/error';
import { parentPath } from '#schema/path';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const MOST_OPEN = 64;

export interface Directories {
  /** A path good for one system call on `path` itself, or `undefined` where its directory is not there. */
  at(path: string): string | undefined;
  /** The same, and missing directories on the way are made with `mode`. */
  reach(path: string, mode: number): string;
  close(): void;
}

/** @param root absolute path of a directory */
export function openDirectories(root: string): Directories {
  const top = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const open = new Map<string, number>();

  const remember = (path: string, fd: number): number => {
    if (open.size >= MOST_OPEN) {
      for (const [oldest, descriptor] of open) {
        open.delete(oldest);
        closeSync(descriptor);
        break;
      }
    }
    open.set(path, fd);
    return fd;
  };

  /** The descriptor of a directory; `make` is the mode of missing ones, or absent where none are made. */
  const directory = (path: string, make: number | undefined): number => {
    if (path === '') return top;
    const known = open.get(path);
    if (known !== undefined) return known;
    const parent = parentPath(path);
    const name = parent === '' ? path : path.slice(parent.length + 1);
    return remember(path, enter(`/proc/self/fd/${directory(parent, make)}/${name}`, make));
  };

  const join = (path: string, make: number | undefined): string => {
    checkComponents(path);
    const parent = parentPath(path);
    const name = parent === '' ? path : path.slice(parent.length + 1);
    return `/proc/self/fd/${directory(parent, make)}/${name}`;
  };

  return {
    at: (path) => {
      try {
        return join(path, undefined);
      } catch (error) {
        if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
        throw error;
      }
    },
    reach: (path, mode) => join(path, mode),
    close: () => {
      for (const fd of open.values()) closeSync(fd);
      open.clear();
      closeSync(top);
    },
  };
}

function enter(path: string, make: number | undefined): number {
  try {
    return openSync(path, DIRECTORY);
  } catch (error) {
    if (make === undefined || !isErrno(error, 'ENOENT')) throw error;
  }
  try {
    mkdirSync(path, { mode: make });
    // What the umask took away.
    chmodSync(path, make);
  } catch (error) {
    // Another thread made it first.
    if (!isErrno(error, 'EEXIST')) throw error;
  }
  return openSync(path, DIRECTORY);
}

/**
 * Rows, journal and manifests name only what lies below the root.
 * @throws IcepkgError `path-unsafe` where a path would climb or stand still
 */
export function checkComponents(path: string): void {
  if (path === '' || !/(?:^|\/)\.{0,2}(?:\/|$)/.test(path)) return;
  throw new IcepkgError('path-unsafe', `${JSON.stringify(path)} is no path below the root`, {
    hint: 'Restore the package database from a backup; somebody changed it',
  });
}

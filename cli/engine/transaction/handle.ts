/**
 * Names below the root, reached through directory descriptors that never follow a symlink. The parent of the
 * last path stays open, because neighbours come one after the other.
 */
import { closeSync, constants, lstatSync, openSync, type Stats } from 'node:fs';
import { isErrno } from '#schema/error';
import { parentPath } from '#schema/path';
import { checkComponents } from '../root-fs/directories.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export interface Handle {
  /** A path good for one system call on `path` itself, or `undefined` where its directory is not there. */
  at(path: string): string | undefined;
  lstat(path: string): Stats | undefined;
  /** Must be called when a directory was moved or replaced: what was open may lie elsewhere now. */
  forget(): void;
  close(): void;
}

export function openHandle(root: string): Handle {
  const top = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  let parent: string | undefined;
  let fd: number | undefined;
  const forget = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
    parent = undefined;
  };
  const at = (path: string): string | undefined => {
    checkComponents(path);
    const directory = parentPath(path);
    const name = directory === '' ? path : path.slice(directory.length + 1);
    if (directory === '') return `/proc/self/fd/${top}/${name}`;
    if (directory !== parent) {
      forget();
      fd = openDirectory(top, directory);
      parent = directory;
    }
    return fd === undefined ? undefined : `/proc/self/fd/${fd}/${name}`;
  };
  return {
    at,
    lstat: (path) => {
      const real = at(path);
      return real === undefined ? undefined : lstatOrNothing(real);
    },
    forget,
    close: () => {
      forget();
      closeSync(top);
    },
  };
}

/** Component by component; a symlink or a file on the way means that the path is not there. */
function openDirectory(top: number, path: string): number | undefined {
  let current = top;
  try {
    for (const name of path.split('/')) {
      const next = openSync(`/proc/self/fd/${current}/${name}`, DIRECTORY);
      if (current !== top) closeSync(current);
      current = next;
    }
    return current;
  } catch (error) {
    if (current !== top) closeSync(current);
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

function lstatOrNothing(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

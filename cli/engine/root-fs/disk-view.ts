/** The planner's view of a root, read through descriptors that never follow a symlink. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs';
import { isErrno } from '#schema/error';
import type { DiskView } from '../file-plan/operations.ts';
import { openDirectories } from './directories.ts';

export interface OpenDiskView extends DiskView {
  close(): void;
}

export function openDiskView(root: string): OpenDiskView {
  const directories = openDirectories(root);
  const lstat = (path: string): Stats | undefined => {
    const real = directories.at(path);
    return real === undefined ? undefined : lstatSync(real, { throwIfNoEntry: false });
  };
  return {
    kind: (path) => {
      const stats = lstat(path);
      if (stats === undefined) return undefined;
      if (stats.isDirectory()) return 'directory';
      if (stats.isSymbolicLink()) return 'symlink';
      return stats.isFile() ? 'file' : 'other';
    },
    metadata: (path) => {
      const stats = lstat(path);
      return stats === undefined ? undefined : { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
    },
    readlink: (path) => readlinkSync(directories.at(path) ?? path),
    names: (path) => {
      const real = directories.at(path);
      return real === undefined ? [] : readdirSync(real).sort();
    },
    sha256: (path) => {
      const real = directories.at(path);
      return real === undefined ? undefined : digestFile(real);
    },
    close: () => directories.close(),
  };
}

function digestFile(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ELOOP', 'EACCES', 'ENXIO')) return undefined;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const digest = createHash('sha256');
    const room = Buffer.allocUnsafe(256 * 1024);
    for (let count = readSync(fd, room); count > 0; count = readSync(fd, room)) {
      digest.update(room.subarray(0, count));
    }
    return digest.digest('hex');
  } finally {
    closeSync(fd);
  }
}

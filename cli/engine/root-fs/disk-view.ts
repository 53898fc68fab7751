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
import { IcepkgError, isErrno } from '#schema/error';
import { parentPath } from '#schema/path';
import type { DiskKind, DiskView } from '../file-plan/operations.ts';
import { openDirectories } from './directories.ts';

export interface OpenDiskView extends DiskView {
  close(): void;
}

/** What was seen once stays so for as long as the view is open, and below what is not there nothing is looked up. */
export function openDiskView(root: string): OpenDiskView {
  const directories = openDirectories(root);
  const seen = new Map<string, Seen | undefined>();
  const look = (path: string): Seen | undefined => {
    if (seen.has(path)) return seen.get(path);
    const parent = parentPath(path);
    const real = parent === '' || look(parent)?.kind === 'directory' ? directories.at(path) : undefined;
    const found = real === undefined ? undefined : seenOf(lstatSync(real, { throwIfNoEntry: false }));
    seen.set(path, found);
    return found;
  };
  return {
    kind: (path) => look(path)?.kind,
    metadata: (path) => look(path),
    readlink: (path) => unlessExchanged(path, () => readlinkSync(directories.at(path) ?? '')),
    names: (path) => {
      const real = directories.at(path);
      return real === undefined ? [] : unlessExchanged(path, () => readdirSync(real).sort());
    },
    sha256: (path) => {
      const real = directories.at(path);
      return real === undefined ? undefined : digestFile(real);
    },
    close: () => directories.close(),
  };
}

/** @throws IcepkgError `path-unsafe` where somebody exchanges paths while they are looked at */
export function unlessExchanged<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EINVAL', 'ENOTDIR', 'ELOOP')) throw error;
    throw new IcepkgError('path-unsafe', `/${path} changed while it was looked at`, {
      hint: 'Stop what writes below the root, then run the command again',
      cause: error,
    });
  }
}

interface Seen {
  readonly kind: DiskKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

function seenOf(stats: Stats | undefined): Seen | undefined {
  if (stats === undefined) return undefined;
  const { mode, uid, gid } = stats;
  return { kind: kindOf(stats), mode: mode & 0o7777, uid, gid };
}

function kindOf(stats: Stats): DiskKind {
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  return stats.isFile() ? 'file' : 'other';
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

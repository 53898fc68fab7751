/**
 * Whose a root is. Everything that icepkg believes about a root lies in the root's own folders, so whoever may write
 * there decides what is deleted, moved and run: that must be nobody but the one who runs icepkg, or root.
 */
import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { parentPath } from '#schema/path';
import {
  CACHE_DIRECTORY,
  CONFIG_DIRECTORY,
  HOLDER_FILE,
  LOCK_FILE,
  STATE_DIRECTORY,
  STATE_FILE,
} from '../transaction/layout.ts';

const FOLDERS = [
  STATE_DIRECTORY,
  `${STATE_DIRECTORY}/trust`,
  `${CACHE_DIRECTORY}/packages`,
  `${CACHE_DIRECTORY}/index`,
  `${CONFIG_DIRECTORY}/trust`,
];
const FILES = [STATE_FILE, LOCK_FILE, HOLDER_FILE];

/**
 * @param root absolute and free of symlinks
 * @throws IcepkgError `path-unsafe` where the root's own folders lead out of it, or are in other hands
 */
export function checkOwnFolders(root: string): void {
  const folders = new Set(['']);
  for (const folder of FOLDERS)
    for (let path = folder; path !== ''; path = parentPath(path)) folders.add(path);
  for (const path of folders) checkFolder(root, path);
  for (const path of FILES) {
    const file = join(root, path);
    const stats = lstatOf(file);
    if (stats === undefined) continue;
    if (stats.isSymbolicLink() || !stats.isFile()) throw unsafe(`${file} is no regular file`);
    checkHands(file, stats);
  }
}

function checkFolder(root: string, path: string): void {
  const folder = join(root, path);
  const found = lstatOf(folder);
  if (found === undefined) return;
  checkHands(folder, found);
  if (!found.isSymbolicLink()) return checkMode(folder, found);
  if (STATE_DIRECTORY.startsWith(path)) throw unsafe(`${folder} is a symlink`);
  const real = realOf(folder);
  if (real === undefined) throw unsafe(`${folder} is a symlink that leads nowhere`);
  if (root !== '/' && !real.startsWith(`${root}/`))
    throw unsafe(`${folder} leads out of the root, to ${real}`);
}

function checkMode(folder: string, { mode }: Stats): void {
  if ((mode & 0o1002) === 0o002) throw unsafe(`anybody may write to ${folder}`, `chmod o-w ${folder}`);
}

function checkHands(path: string, { uid }: Stats): void {
  const self = process.geteuid?.() ?? 0;
  const allowed = [0, self, ...(self === 0 ? [Number(process.env['SUDO_UID'] ?? 0)] : [])];
  if (!allowed.includes(uid))
    throw unsafe(`${path} belongs to user ${uid}, who may lead icepkg astray`, `chown ${self} ${path}`);
}

const unsafe = (why: string, way?: string): IcepkgError =>
  new IcepkgError('path-unsafe', why, {
    hint:
      way === undefined
        ? 'Put a directory or file of your own in its place'
        : `Run icepkg as the owner of the root, or, where you trust all that is in it: ${way}`,
  });

function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES')) return undefined;
    throw error;
  }
}

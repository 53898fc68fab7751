/**
 * Paths of a composed root on the machine that composes it. Packages and overlays bring symlinks, and these mean what they
 * mean on the device: followed as they stand, they would lead to files of the machine.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';

const MAX_LINKS = 40;

/**
 * Where a path of the root is on disk. Symlinks on the way are followed inside the root, and the last name only where `/` ends
 * the path; folders that are missing are not made.
 * @throws IcepkgError `path-unsafe` where the way leads out of the root, or through what is no folder
 */
export function placeInRoot(root: string, relative: string): string {
  const refuse = (why: string): IcepkgError =>
    new IcepkgError('path-unsafe', `/${relative} of the image ${why}`, {
      hint: 'Name the folder itself, and look at the symlinks of packages and overlays on the way',
    });
  const pending = relative.split('/');
  let folder = root;
  let links = 0;
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (folder === root) throw refuse('leads out of it');
      folder = path.dirname(folder);
      continue;
    }
    const next = path.join(folder, name);
    if (pending.length === 0) return next;
    const stat = fs.lstatSync(next, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink() === true) {
      if (++links > MAX_LINKS) throw refuse('goes through symlinks without end');
      const target = fs.readlinkSync(next);
      if (path.isAbsolute(target)) folder = root;
      pending.unshift(...target.split('/'));
    } else if (stat !== undefined && !stat.isDirectory())
      throw refuse(`goes through /${path.relative(root, next)}, which is no folder`);
    else folder = next;
  }
  return folder;
}

/** Makes a folder with those above it. @returns its path in the root */
export function makeFolderInRoot(root: string, relative: string): string {
  const folder = placeInRoot(root, `${relative}/`);
  fs.mkdirSync(folder, { recursive: true });
  return path.relative(root, folder);
}

/** Writes a file, in place of a symlink where there is one. @returns its path in the root */
export function writeInRoot(
  root: string,
  relative: string,
  content: string | Uint8Array,
  encoding: BufferEncoding = 'utf8',
): string {
  const file = placeInRoot(root, relative);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  if (fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true) fs.rmSync(file);
  fs.writeFileSync(file, content, encoding);
  return path.relative(root, file);
}

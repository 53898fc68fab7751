/** What a manifest must hold beyond its schema: order, uniqueness, and places that fit the frames. */
import { IcepkgError } from '../error.ts';
import type { FileEntry, Frame, Manifest } from '../manifest.ts';
import { comparePaths, parentPath } from '../path.ts';
import { BLOCK, END_OF_ARCHIVE } from './tar.ts';

/**
 * @param what names the package in the error
 * @throws IcepkgError `format-invalid` naming the entry that is wrong
 */
export function checkManifest(manifest: Manifest, what: string): void {
  const fail = (where: string, why: string): never => {
    throw new IcepkgError('format-invalid', `manifest of ${what}: ${where}: ${why}`, {
      hint: 'Build the package again with icepkg pack or icepkg build',
    });
  };
  checkPaths(manifest.files, fail);
  const frameStarts = checkFrames(manifest.frames, fail);
  checkPlaces(manifest.files, frameStarts, fail);
  let size = 0;
  for (const file of manifest.files) if (file.type === 'file') size += file.size;
  if (size !== manifest.installedSize) {
    fail('installedSize', `is ${manifest.installedSize}, but the files have ${size} bytes`);
  }
  checkDeclarations(manifest, fail);
}

/** `user.comment`, `security.capability`: a namespace and printable ASCII. */
const XATTR_NAME = /^(?:user|security|trusted|system)\.[\x21-\x3c\x3e-\x7e]{1,240}$/;

type Fail = (where: string, why: string) => never;

function checkPaths(files: readonly FileEntry[], fail: Fail): void {
  const types = new Map<string, FileEntry['type']>();
  let previous: string | undefined;
  for (const [index, file] of files.entries()) {
    const where = `files[${index}] (${file.path})`;
    const order = previous === undefined ? -1 : comparePaths(previous, file.path);
    if (order === 0) fail(where, 'is listed twice');
    if (order > 0) fail(where, `is out of order after ${previous ?? ''}`);
    previous = file.path;
    if (file.path === '.icepkg' || file.path.startsWith('.icepkg/'))
      fail(where, 'is a name that icepkg keeps for itself');
    for (let parent = parentPath(file.path); parent !== ''; parent = parentPath(parent)) {
      const type = types.get(parent);
      if (type === 'directory') break;
      if (type !== undefined) fail(where, `lies below ${parent}, which is a ${type} in this package`);
    }
    if (file.type === 'hardlink' && types.get(file.target) !== 'file') {
      fail(where, `links to ${file.target}, which is no regular file listed before it`);
    }
    if ('xattrs' in file && file.xattrs !== undefined) {
      for (const name of Object.keys(file.xattrs)) {
        if (!XATTR_NAME.test(name)) fail(where, 'has an extended attribute with an impossible name');
      }
    }
    types.set(file.path, file.type);
  }
}

/** Returns where each frame starts in the uncompressed data, and where the last one ends. */
function checkFrames(frames: readonly Frame[], fail: Fail): readonly number[] {
  if (frames.length === 0) fail('frames', 'holds no frame, not even the one that ends the archive');
  const starts: number[] = [0];
  let offset = 0;
  let total = 0;
  for (const [index, frame] of frames.entries()) {
    const where = `frames[${index}]`;
    if (frame.offset !== offset) fail(where, `starts at ${frame.offset} instead of ${offset}`);
    if (frame.size === 0) fail(where, 'is empty');
    if (frame.uncompressedSize % BLOCK !== 0) fail(where, `is no whole number of ${BLOCK} byte blocks`);
    offset += frame.size;
    total += frame.uncompressedSize;
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(total)) fail(where, 'is beyond any file');
    starts.push(total);
  }
  return starts;
}

/** Contents lie inside the frames, in the order of the paths, each behind a header of its own. */
function checkPlaces(files: readonly FileEntry[], starts: readonly number[], fail: Fail): void {
  const end = (starts.at(-1) ?? 0) - END_OF_ARCHIVE;
  let free = 0;
  for (const [index, file] of files.entries()) {
    if (file.type !== 'file') continue;
    const where = `files[${index}] (${file.path})`;
    if (file.size === 0) {
      if (file.frame !== undefined || file.offset !== undefined)
        fail(where, 'is empty and has a place in a frame');
      continue;
    }
    if (file.frame === undefined || file.offset === undefined)
      fail(where, 'has content but no frame and offset');
    const frameStart = starts[(file.frame ?? 0) - 1];
    const frameEnd = starts[file.frame ?? 0];
    if (frameStart === undefined || frameEnd === undefined)
      fail(where, `is in frame ${file.frame ?? 0}, which is not listed`);
    const start = (frameStart ?? 0) + (file.offset ?? 0);
    if (start >= (frameEnd ?? 0)) fail(where, 'starts behind the end of its frame');
    if (start % BLOCK !== 0) fail(where, `does not start at a block of ${BLOCK} bytes`);
    if (start < free + BLOCK) fail(where, 'overlaps what stands before it');
    free = start + file.size;
    if (free > end) fail(where, 'ends behind the last frame');
  }
}

/** Nothing may be declared twice. */
function checkDeclarations(manifest: Manifest, fail: Fail): void {
  const lists = {
    users: manifest.users?.map(({ name }) => name),
    groups: manifest.groups?.map(({ name }) => name),
    services: manifest.services?.map(({ name }) => name),
    alternatives: manifest.alternatives?.map(({ link }) => link),
  };
  for (const [field, names] of Object.entries(lists)) {
    const seen = new Set<string>();
    for (const name of names ?? []) {
      if (seen.has(name)) fail(field, `declares ${name} twice`);
      seen.add(name);
    }
  }
  for (const service of manifest.services ?? []) {
    for (const name of Object.keys(service.environment ?? {})) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
        fail(`services (${service.name})`, 'environment has an impossible name');
    }
  }
}

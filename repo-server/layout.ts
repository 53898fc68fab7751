/**
 * Where things are in a repository, and how they get there: whole, durable, and never seen half written.
 * Everything outside `.icepkg/` may be served; a private key is in neither.
 */
import * as fs from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeFolder as makeFolders } from '#engine/make-folder';
import { IcepkgError, isErrno } from '#schema/error';

/** Name, roles and lifetimes; readable by anybody. */
export const CONFIG_FILE = 'repository.json';
/** The operator's own notes: the pool of records and the lock. Losing it costs time, not trust. */
export const PRIVATE_FOLDER = '.icepkg';
export const POOL_FILE = `${PRIVATE_FOLDER}/pool.json`;
export const LOCK_FILE = `${PRIVATE_FOLDER}/lock.sqlite`;

/** The channel that every repository has. */
export const DEFAULT_CHANNEL = 'stable';

const CHANNEL = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** `channels/NAME/metadata`. @throws IcepkgError `usage` where the name is none */
export function metadataFolder(channel: string): string {
  if (!CHANNEL.test(channel)) {
    throw new IcepkgError('usage', `${JSON.stringify(channel)} is no name for a channel`, {
      hint: 'Use lower-case letters, digits and . _ - only, as in stable',
    });
  }
  return `channels/${channel}/metadata`;
}

/** Names of the channels that were published or are about to be. */
export function channelsOf(repository: string): string[] {
  try {
    return fs
      .readdirSync(join(repository, 'channels'))
      .filter((name) => CHANNEL.test(name))
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Calls `work`, naming the file in what the system refuses. */
export function doing<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (isErrno(cause, 'ENOSPC', 'EDQUOT')) {
      throw new IcepkgError('disk-full', `${file}: no space left`, { hint: 'Free some space', cause });
    }
    if (isErrno(cause, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EIO')) {
      throw new IcepkgError('io-failed', `${file}: cannot be written (${cause.code})`, {
        hint: 'Check the owner and the mode of the folder',
        cause,
      });
    }
    throw cause;
  }
}

/** Writes a file so that it appears whole, and stays after a power cut. */
export function writeDurably(file: string, bytes: Uint8Array, mode = 0o644): void {
  doing(file, () => {
    const aside = besides(file);
    try {
      makeFolder(dirname(file));
      const fd = fs.openSync(aside, 'w', mode);
      try {
        fs.writeFileSync(fd, bytes);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      fs.renameSync(aside, file);
      syncFolder(dirname(file));
    } finally {
      fs.rmSync(aside, { force: true });
    }
  });
}

/** A name for what is being written; it starts with a dot, so that nobody serves it. */
export const besides = (file: string): string =>
  join(dirname(file), `.${process.pid}.${file.slice(dirname(file).length + 1)}.part`);

/** Removes what killed writers left. Only for who holds the lock: nobody else is writing then. */
export function removeLeftovers(repository: string): void {
  const nested = (folder: string): string[] =>
    namesIn(join(repository, folder)).map((name) => join(folder, name));
  const folders = [
    '.',
    PRIVATE_FOLDER,
    ...nested('packages'),
    ...nested('targets/index'),
    ...nested('channels').map((channel) => join(channel, 'metadata')),
  ];
  for (const folder of folders) {
    for (const name of namesIn(join(repository, folder))) {
      if (/^\.\d+\..+\.part$/.test(name)) fs.rmSync(join(repository, folder, name), { force: true });
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** Makes a folder and what is above it, durably. */
export function makeFolder(folder: string): void {
  const first = makeFolders(folder);
  if (first === undefined) return;
  for (let at = resolve(folder); at.length >= first.length; at = dirname(at)) syncFolder(at);
  syncFolder(dirname(first));
}

export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** The bytes of a file, or `undefined` where there is none. */
export function readIfAny(file: string): Uint8Array | undefined {
  try {
    return fs.readFileSync(file);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return undefined;
    if (!isErrno(cause, 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'EIO')) throw cause;
    throw new IcepkgError('io-failed', `${file}: cannot be read (${cause.code})`, { cause });
  }
}

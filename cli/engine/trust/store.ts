/**
 * The metadata a client trusts, on disk. Every file is replaced as a whole, so that no crash can leave a torn
 * file and with it a lower floor for versions or for the clock. Processes that refresh at once do so without
 * waiting for each other's network; a write that rests on what another process has replaced since is refused.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '#schema/digest';
import { isErrno } from '#schema/error';
import { changedByOther, withStoreLock } from './lock.ts';
import { removeFile, replaceFile } from './replace-file.ts';

export interface TrustStore {
  /** Forgets what was read, and finishes a change of roots that was interrupted. */
  readonly begin: () => void;
  /** The file of a role, or `undefined` where there is none. */
  readonly read: (role: string) => Uint8Array | undefined;
  /** @throws IcepkgError `root-locked` where another process replaced something that was read since `begin` */
  readonly write: (role: string, bytes: Uint8Array) => void;
  /** Takes the next root; with `dropsFloor` timestamp and snapshot go with the old one, in one step. */
  readonly replaceRoot: (bytes: Uint8Array, dropsFloor: boolean) => void;
  /** Starts anew from the root that the operator installed, unless it did so already. */
  readonly anchor: (root: Uint8Array) => void;
  /** The newest time at which metadata was found current; the clock never counts as earlier. */
  readonly clockFloor: () => Date;
  readonly raiseClockFloor: (time: Date) => void;
  /** True where this process may change it. */
  readonly isWritable: () => boolean;
}

/** @param directory created with the first write */
export function openTrustStore(directory: string): TrustStore {
  const seen = new Map<string, Uint8Array | undefined>();
  const roleFile = (role: string): string => join(directory, `${encodeRole(role)}.json`);
  const clock = join(directory, 'clock');
  const anchorMark = join(directory, 'anchor');
  const rotationMark = join(directory, 'rotation');
  const replace = (file: string, bytes: Uint8Array): void => replaceFile(file, bytes, `${file}.new`);

  const clockFloor = (): Date => {
    const time = Date.parse(text(readIfAny(clock)));
    return new Date(Number.isNaN(time) ? 0 : time);
  };
  const remove = (...roles: readonly string[]): void => {
    for (const role of roles) {
      removeFile(roleFile(role));
      seen.delete(role);
    }
  };
  const write = (role: string, bytes: Uint8Array): void => {
    replace(roleFile(role), bytes);
    seen.set(role, bytes);
  };
  /** What is about to be written rests on what was read: that must still be there. */
  const checkUnchanged = (): void => {
    for (const [role, before] of seen) {
      if (!isEqual(readIfAny(roleFile(role)), before)) throw changedByOther(directory);
    }
  };
  /** The mark names the new root: only where that arrived does the floor go. */
  const finishRotation = (): void => {
    const marked = text(readIfAny(rotationMark));
    if (marked === '') return;
    if (marked === sha256(readIfAny(roleFile('root')) ?? new Uint8Array(0))) remove('timestamp', 'snapshot');
    removeFile(rotationMark);
  };

  return {
    begin: () => {
      seen.clear();
      if (readIfAny(rotationMark) !== undefined) withStoreLock(directory, finishRotation);
    },
    read: (role) => {
      const bytes = readIfAny(roleFile(role));
      if (!seen.has(role)) seen.set(role, bytes);
      return bytes;
    },
    write: (role, bytes) =>
      withStoreLock(directory, () => {
        checkUnchanged();
        write(role, bytes);
      }),
    replaceRoot: (bytes, dropsFloor) =>
      withStoreLock(directory, () => {
        checkUnchanged();
        if (dropsFloor) replace(rotationMark, Buffer.from(`${sha256(bytes)}\n`));
        write('root', bytes);
        if (dropsFloor) finishRotation();
      }),
    anchor: (root) => {
      const mark = sha256(root);
      if (text(readIfAny(anchorMark)) === mark && fs.existsSync(roleFile('root'))) return;
      withStoreLock(directory, () => {
        removeFile(anchorMark);
        remove('timestamp', 'snapshot', 'targets');
        removeFile(clock);
        removeFile(rotationMark);
        replace(roleFile('root'), root);
        replace(anchorMark, Buffer.from(`${mark}\n`));
        seen.clear();
      });
    },
    clockFloor,
    raiseClockFloor: (time) =>
      withStoreLock(directory, () => {
        if (time > clockFloor()) replace(clock, Buffer.from(`${time.toISOString()}\n`));
      }),
    isWritable: () => isWritable(directory),
  };
}

/** A role name as one component of a path or a URL, whatever characters it has. */
export function encodeRole(role: string): string {
  const hex = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(role.toWellFormed()).replaceAll(/[!'()*]/g, hex);
}

const text = (bytes: Uint8Array | undefined): string =>
  Buffer.from(bytes ?? [])
    .toString('utf8')
    .trim();

const isEqual = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;

function readIfAny(file: string): Uint8Array | undefined {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isWritable(directory: string): boolean {
  try {
    fs.accessSync(directory, fs.constants.W_OK);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'EACCES', 'EROFS', 'EPERM')) return false;
    throw error;
  }
}

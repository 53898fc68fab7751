/**
 * The metadata a client trusts, on disk. Every file is replaced as a whole (written aside, flushed, renamed), so
 * that no crash can leave a torn file and with it a lower floor for versions or for the clock.
 */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';

export interface TrustStore {
  /** The file of a role, or `undefined` where there is none. */
  readonly read: (role: string) => Uint8Array | undefined;
  readonly write: (role: string, bytes: Uint8Array) => void;
  readonly remove: (role: string) => void;
  /** The newest time at which metadata was found current; the clock never counts as earlier. */
  readonly clockFloor: () => Date;
  readonly raiseClockFloor: (time: Date) => void;
  /** Version of a root that takes the floor of timestamp and snapshot away, kept until that is done. */
  readonly pendingRotation: () => number | undefined;
  readonly setPendingRotation: (rootVersion: number | undefined) => void;
}

/** @param directory created with the first write */
export function openTrustStore(directory: string): TrustStore {
  const roleFile = (role: string): string => join(directory, `${encodeRole(role)}.json`);
  const clock = join(directory, 'clock');
  const rotation = join(directory, 'rotation');
  return {
    read: (role) => readIfAny(roleFile(role)),
    write: (role, bytes) => replaceFile(roleFile(role), bytes),
    remove: (role) => removeFile(roleFile(role)),
    clockFloor: () => {
      const time = Date.parse(text(readIfAny(clock)).trim());
      return new Date(Number.isNaN(time) ? 0 : time);
    },
    raiseClockFloor: (time) => replaceFile(clock, Buffer.from(`${time.toISOString()}\n`)),
    pendingRotation: () => {
      const version = Number.parseInt(text(readIfAny(rotation)), 10);
      return Number.isNaN(version) ? undefined : version;
    },
    setPendingRotation: (version) => {
      if (version === undefined) removeFile(rotation);
      else replaceFile(rotation, Buffer.from(`${version}\n`));
    },
  };
}

/** A role name as one component of a path or a URL, whatever characters it has. */
export function encodeRole(role: string): string {
  const hex = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(role.toWellFormed()).replaceAll(/[!'()*]/g, hex);
}

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8');

function readIfAny(file: string): Uint8Array | undefined {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Replaces a file so that after a crash it holds either the old bytes or the new ones. */
export function replaceFile(file: string, bytes: Uint8Array): void {
  const aside = `${file}.${process.pid}.new`;
  try {
    fs.mkdirSync(dirname(file), { recursive: true });
    const fd = fs.openSync(aside, 'w', 0o644);
    try {
      fs.writeFileSync(fd, bytes);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(aside, file);
    syncDirectory(dirname(file));
  } catch (cause) {
    fs.rmSync(aside, { force: true });
    throw writeError(file, cause);
  }
}

function removeFile(file: string): void {
  try {
    fs.rmSync(file, { force: true });
    if (fs.existsSync(dirname(file))) syncDirectory(dirname(file));
  } catch (cause) {
    throw writeError(file, cause);
  }
}

function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function writeError(file: string, cause: unknown): unknown {
  if (isErrno(cause, 'ENOSPC', 'EDQUOT')) {
    return new IcepkgError('disk-full', `no space to write ${file}`, {
      hint: 'Free some space, then run the command again',
      cause,
    });
  }
  if (isErrno(cause, 'EROFS', 'EACCES', 'EPERM')) {
    return new IcepkgError('root-read-only', `cannot write ${file}`, {
      hint: 'Run the command as the owner of the root, on a file system that can be written',
      cause,
    });
  }
  return cause;
}

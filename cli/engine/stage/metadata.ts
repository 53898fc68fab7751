/** Owner and mode of what was just made, and in words what could not be set. */
import { fchmodSync, fchownSync } from 'node:fs';
import { isErrno } from '#schema/error';

const SET_ID = 0o6000;

/**
 * Owner first, because changing it clears the set-id bits. Those are left out where the owner could not be set:
 * a program must not become setuid to somebody else.
 */
export function setMetadata(
  fd: number,
  owner: { readonly uid: number; readonly gid: number },
  mode: number,
): string | undefined {
  const owned = setOwner(owner, (uid, gid) => fchownSync(fd, uid, gid));
  fchmodSync(fd, owned ? mode : withoutSetId(mode));
  return owned ? undefined : deviationOf(owner, mode);
}

export const withoutSetId = (mode: number): number => mode & ~SET_ID;

/** True where the owner is what it should be. */
export function setOwner(
  owner: { readonly uid: number; readonly gid: number },
  chown: (uid: number, gid: number) => void,
): boolean {
  if (owner.uid === process.geteuid?.() && owner.gid === process.getegid?.()) return true;
  if (process.geteuid?.() !== 0) return false;
  try {
    chown(owner.uid, owner.gid);
    return true;
  } catch (error) {
    if (isErrno(error, 'EPERM', 'EINVAL')) return false;
    throw error;
  }
}

export function deviationOf(owner: { readonly uid: number; readonly gid: number }, mode: number): string {
  const bits = (mode & SET_ID) === 0 ? '' : `, mode ${mode.toString(8)} without its set-id bits`;
  return `owner ${owner.uid}:${owner.gid} not set${bits}`;
}

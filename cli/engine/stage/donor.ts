/** Takes over files that lie ready in another tree, instead of unpacking them again. */
import * as fs from 'node:fs';
import { isErrno } from '#schema/error';
import type { StagedEntry } from '../file-plan/operations.ts';

/** A tree on the file system of the root that gives its files away. */
export interface Donor {
  /** Absolute path of a regular file with the content, or a symlink with the target, that is wanted; it is moved away. */
  offer(staged: Pick<StagedEntry, 'path' | 'entry'>): string | undefined;
}

/** Moves what the donor offers to `target`. @returns false where there is nothing to move, or moving it is not allowed */
export function adopt(donor: Donor, staged: StagedEntry, target: string): boolean {
  const offered = donor.offer(staged);
  if (offered === undefined) return false;
  try {
    fs.renameSync(offered, target);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'EPERM')) return false;
    throw error;
  }
}

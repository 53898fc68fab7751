/**
 * Puts staged files in place after the commit point. What is still to do follows from what still lies in the
 * stage, so every step may be repeated: recovery runs this very function.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { isErrno } from '#schema/error';
import type { Journal } from '../store/model.ts';
import { openHandle, type Handle } from './handle.ts';
import { areasAt } from './areas.ts';
import type { Area } from './layout.ts';

/** Told of a step just before it is done. */
export type OnStep = (step: string) => void;

export function applyJournal(root: string, journal: Journal, onStep: OnStep): void {
  const live = openHandle(root);
  const staged = openHandle(root);
  const work: Work = { live, staged, onStep };
  try {
    const early = journal.remove.filter(({ path }) => isBelow(path, journal.displace));
    const late = journal.remove.filter(({ path }) => !isBelow(path, journal.displace));
    for (const { path, directory } of early) removePath(work, path, directory);
    for (const area of areasAt(root, journal.areas)) moveArea(work, area);
    for (const { path, directory } of late) removePath(work, path, directory);
    for (const directory of journal.directories) setDirectory(work, directory);
  } finally {
    live.close();
    staged.close();
  }
}

interface Work {
  readonly live: Handle;
  readonly staged: Handle;
  readonly onStep: OnStep;
}

/** True where one of `above` is `path` or holds it. */
function isBelow(path: string, above: readonly string[]): boolean {
  return above.some((top) => path === top || path.startsWith(`${top}/`));
}

function removePath(work: Work, path: string, directory: boolean): void {
  const real = work.live.at(path);
  if (real === undefined) return;
  work.onStep(`remove ${path}`);
  try {
    if (directory) {
      opened([real], () => rmdirSync(real));
      work.live.forget();
    } else {
      opened([real], () => unlinkSync(real));
    }
  } catch (error) {
    // Gone already, kept because an operator's files are in it, or changed in kind: not ours to take.
    if (!isErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EISDIR', 'EBUSY')) throw error;
    if (isErrno(error, 'EBUSY') && !directory) throw error;
  }
}

interface Pending {
  readonly staged: string;
  readonly live: string;
  /** Set once the children were queued: the emptied staged directory goes last. */
  readonly leave: boolean;
}

function moveArea(work: Work, area: Area): void {
  const prefix = area.mount === '' ? '' : `${area.mount}/`;
  const queue: Pending[] = children(work, area.stage, (name) => `${prefix}${name}`);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { staged, live } = next;
    if (next.leave) {
      const emptied = work.staged.at(staged);
      if (emptied !== undefined) rmdirSync(emptied);
      work.staged.forget();
      continue;
    }
    const from = work.staged.lstat(staged);
    if (from === undefined) continue;
    const to = work.live.lstat(live);
    if (from.isDirectory() && to?.isDirectory() === true) {
      queue.push({ staged, live, leave: true }, ...children(work, staged, (name) => `${live}/${name}`));
      continue;
    }
    if (to !== undefined && from.isDirectory() !== to.isDirectory()) clearWay(work, live, to.isDirectory());
    if (to?.ino === from.ino && to.dev === from.dev) dropTwin(work, staged);
    else move(work, staged, live);
  }
}

/** Two names of one file: `rename` would do nothing and leave both. */
function dropTwin(work: Work, staged: string): void {
  const real = work.staged.at(staged);
  if (real !== undefined) unlinkSync(real);
}

function children(work: Work, staged: string, live: (name: string) => string): Pending[] {
  const directory = work.staged.at(staged);
  if (directory === undefined) return [];
  try {
    const names = readdirSync(directory).sort().reverse();
    return names.map((name) => ({ staged: `${staged}/${name}`, live: live(name), leave: false }));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function move(work: Work, staged: string, live: string): void {
  const from = work.staged.at(staged);
  const to = work.live.at(live);
  if (from === undefined || to === undefined)
    throw new Error(`the way to ${live} vanished while it was being put in place`);
  work.onStep(`rename ${live}`);
  opened([from, to], () => renameSync(from, to));
}

/**
 * An ordinary user's own directories may be closed to them; such ones are opened, and the journal holds how they
 * are to be in the end.
 */
function opened(entries: readonly string[], act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isErrno(error, 'EACCES')) throw error;
    for (const entry of entries) {
      const parent = entry.slice(0, entry.lastIndexOf('/'));
      chmodSync(parent, (statSync(parent).mode & 0o7777) | 0o700);
    }
    act();
  }
}

/** A directory gives way to a file or the other way round. What an operator left in it is kept beside. */
function clearWay(work: Work, path: string, directory: boolean): void {
  const real = work.live.at(path);
  if (real === undefined) return;
  work.onStep(`displace ${path}`);
  try {
    opened([real], () => (directory ? rmdirSync(real) : unlinkSync(real)));
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    renameSync(real, `${real}.icepkg-saved`);
  }
  work.live.forget();
}

function setDirectory(work: Work, directory: Journal['directories'][number]): void {
  const real = work.live.at(directory.path);
  if (real === undefined) return;
  work.onStep(`directory ${directory.path}`);
  let fd: number;
  try {
    fd = openSync(real, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return;
    if (!isErrno(error, 'EACCES')) throw error;
    chmodSync(real, directory.mode);
    return;
  }
  try {
    try {
      fchownSync(fd, directory.uid, directory.gid);
    } catch (error) {
      if (!isErrno(error, 'EPERM', 'EINVAL')) throw error;
    }
    fchmodSync(fd, directory.mode);
  } finally {
    closeSync(fd);
  }
}

/**
 * Keeps what a transaction is about to replace or remove: hardlinks, so that it costs no space and no time, made
 * before the commit point.
 */
import {
  chmodSync,
  copyFileSync,
  linkSync,
  lutimesSync,
  lchownSync,
  readlinkSync,
  symlinkSync,
  type Stats,
} from 'node:fs';
import { isErrno } from '#schema/error';
import { parentPath } from '#schema/path';
import { openDirectories, type Directories } from '../root-fs/directories.ts';
import type { UndoRow } from '../store/model.ts';
import type { OnStep } from './apply.ts';
import { openHandle, type Handle } from './handle.ts';
import { undoPath, type Area } from './layout.ts';

export interface UndoRequest {
  readonly root: string;
  readonly areas: readonly Area[];
  readonly transaction: number;
  /** Every path that is written, removed or given other metadata; with the sha256 of what an operator may edit. */
  readonly touched: ReadonlyMap<string, string | undefined>;
  readonly onStep: OnStep;
}

/** Returns the prior state of every touched path and of every directory that comes to be on the way to one. */
export function keepForUndo(request: UndoRequest): readonly UndoRow[] {
  const live = openHandle(request.root);
  const rows = new Map<string, UndoRow>();
  const undo = openDirectories(request.root);
  try {
    for (const [path, written] of request.touched) {
      const stats = live.lstat(path);
      if (stats === undefined) addMissingParents(live, path, rows);
      else if (!stats.isDirectory()) keep(request, { live, path, stats, undo });
      rows.set(path, rowOf(path, stats, written));
    }
  } finally {
    live.close();
    undo.close();
  }
  return [...rows.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function rowOf(path: string, stats: Stats | undefined, written: string | undefined): UndoRow {
  if (stats === undefined) return { path, prior: 'absent', mode: 0, uid: 0, gid: 0, written };
  const prior = stats.isDirectory() ? 'directory' : 'kept';
  return { path, prior, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, written };
}

function addMissingParents(live: Handle, path: string, rows: Map<string, UndoRow>): void {
  for (let parent = parentPath(path); parent !== '' && !rows.has(parent); parent = parentPath(parent)) {
    // Below a file that gives way to a directory there is nothing either; that file has a row of its own.
    if (live.lstat(parent) !== undefined) return;
    rows.set(parent, rowOf(parent, undefined, undefined));
  }
}

interface Kept {
  readonly live: Handle;
  readonly path: string;
  readonly stats: Stats;
  readonly undo: Directories;
}

function keep(request: UndoRequest, { live, path, stats, undo }: Kept): void {
  const from = live.at(path);
  if (from === undefined) return;
  const to = undo.reach(undoPath(request.areas, request.transaction, path), 0o700);
  request.onStep(`keep ${path}`);
  linkOrCopy(from, to, stats);
}

/** File systems without hardlinks, and protected_hardlinks for other people's files, need a copy. */
export function linkOrCopy(from: string, to: string, stats: Stats): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!isErrno(error, 'EPERM', 'EMLINK', 'EOPNOTSUPP', 'ENOTSUP')) throw error;
    copyEntry(from, to, stats);
  }
}

/** An independent copy with owner, mode and times. */
export function copyEntry(from: string, to: string, stats: Stats): void {
  if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else copyFileSync(from, to);
  try {
    lchownSync(to, stats.uid, stats.gid);
  } catch (error) {
    if (!isErrno(error, 'EPERM', 'EINVAL')) throw error;
  }
  if (!stats.isSymbolicLink()) chmodSync(to, stats.mode & 0o7777);
  lutimesSync(to, stats.atime, stats.mtime);
}

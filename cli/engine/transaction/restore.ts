/** Stages what the undo store kept, so that a rollback commits like any other transaction. */
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { sha256 } from '#schema/digest';
import { IcepkgError, isErrno } from '#schema/error';
import type { FileChanges } from '../commit.ts';
import type { Journal, UndoRow } from '../store/model.ts';
import { openDirectories, type Directories } from '../root-fs/directories.ts';
import type { OnStep } from './apply.ts';
import { openAreas } from './areas.ts';
import { openHandle, type Handle } from './handle.ts';
import { stagePath, undoPath, type Area } from './layout.ts';
import { copyEntry, linkOrCopy } from './undo.ts';

/** How a path was, and the transaction whose undo folder holds it. */
export interface PriorState {
  readonly row: UndoRow;
  readonly transaction: number;
  /** sha256 of what must be there now, where an operator may have edited it. */
  readonly written: string | undefined;
}

export interface RestoreRequest {
  readonly root: string;
  readonly areas: readonly Area[];
  readonly paths: ReadonlyMap<string, PriorState>;
  readonly onStep: OnStep;
}

interface Restore extends RestoreRequest {
  readonly live: Handle;
  readonly kept: Handle;
  readonly staged: Directories;
  readonly write: Map<string, string | undefined>;
  readonly displace: string[];
  readonly remove: { readonly path: string; readonly directory: boolean }[];
  readonly directories: Journal['directories'][number][];
  readonly notices: string[];
  /** Where a file was copied to, by its inode in the undo store: its other names follow it. */
  readonly copies: Map<string, string>;
}

/** @throws IcepkgError `file-conflict`, `store-corrupt` */
export function stageRestore(request: RestoreRequest): {
  readonly files: FileChanges;
  readonly notices: readonly string[];
} {
  const live = openHandle(request.root);
  const kept = openHandle(request.root);
  const staged = openDirectories(request.root);
  const work: Restore = {
    ...request,
    live,
    kept,
    staged,
    write: new Map(),
    displace: [],
    remove: [],
    directories: [],
    notices: [],
    copies: new Map(),
  };
  try {
    openAreas(request.root, request.areas);
    for (const path of [...request.paths.keys()].sort()) restorePath(work, path);
  } finally {
    live.close();
    kept.close();
    staged.close();
  }
  const remove = work.remove.sort((a, b) => (a.path < b.path ? 1 : -1));
  const { write, displace, directories, notices } = work;
  return { files: { write, displace, remove, directories }, notices };
}

function restorePath(work: Restore, path: string): void {
  const prior = work.paths.get(path);
  if (prior === undefined) return;
  const stats = work.live.lstat(path);
  if (isEdited(work, path, prior)) {
    work.notices.push(`kept /${path}, which was changed since`);
    return;
  }
  const { row } = prior;
  switch (row.prior) {
    case 'absent':
      if (stats !== undefined) work.remove.push({ path, directory: stats.isDirectory() });
      return;
    case 'directory':
      if (stats?.isDirectory() === true) {
        work.directories.push({ path, mode: row.mode, uid: row.uid, gid: row.gid });
        return;
      }
      if (stats !== undefined) work.displace.push(path);
      stageDirectory(work, path, row);
      return;
    case 'kept':
      if (stats?.isDirectory() === true) {
        checkBelow(work, path);
        work.displace.push(path);
      }
      stageKept(work, path, prior);
  }
}

/** @throws IcepkgError `file-conflict` where something is below that is not as the undone transactions put it there */
function checkBelow(work: Restore, path: string): void {
  const queue = [path];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    const real = work.live.at(at);
    for (const name of real === undefined ? [] : readdirSync(real)) {
      const below = `${at}/${name}`;
      const prior = work.paths.get(below);
      if (prior === undefined || isEdited(work, below, prior)) {
        throw new IcepkgError('file-conflict', `/${below} is in the way of what /${path} was before`, {
          hint: 'Move it away and try again',
        });
      }
      if (work.live.lstat(below)?.isDirectory() === true) queue.push(below);
    }
  }
}

/** True where an operator changed what the undone transactions put there. */
function isEdited(work: Restore, path: string, { written }: PriorState): boolean {
  if (written === undefined || work.live.lstat(path)?.isFile() !== true) return false;
  const real = work.live.at(path);
  return real === undefined || sha256(readFileSync(real)) !== written;
}

function stageDirectory(work: Restore, path: string, row: UndoRow): void {
  const staged = work.staged.reach(stagePath(work.areas, path), 0o755);
  work.onStep(`stage ${path}`);
  try {
    mkdirSync(staged);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
  try {
    chownSync(staged, row.uid, row.gid);
  } catch (error) {
    if (!isErrno(error, 'EPERM', 'EINVAL')) throw error;
  }
  // Open to its owner until what goes into it is in place.
  chmodSync(staged, row.mode | 0o700);
  if ((row.mode & 0o700) !== 0o700)
    work.directories.push({ path, mode: row.mode, uid: row.uid, gid: row.gid });
  work.write.set(path, undefined);
}

function stageKept(work: Restore, path: string, { transaction, written }: PriorState): void {
  const staged = work.staged.reach(stagePath(work.areas, path), 0o755);
  const keptPath = undoPath(work.areas, transaction, path);
  const stats = work.kept.lstat(keptPath);
  const kept = work.kept.at(keptPath);
  if (kept === undefined || stats === undefined) {
    throw new IcepkgError('store-corrupt', `what transaction ${transaction} replaced at /${path} is gone`, {
      hint: 'Somebody deleted it from the undo store; install the wanted version instead',
    });
  }
  work.onStep(`stage ${path}`);
  // A file that people edit in place must not share its bytes with the undo store.
  const inode = `${stats.dev}:${stats.ino}`;
  const copy = work.copies.get(inode);
  const from = copy === undefined ? undefined : work.kept.at(copy);
  if (from !== undefined) linkOrCopy(from, staged, stats);
  else if (written === undefined) linkOrCopy(kept, staged, stats);
  else {
    copyEntry(kept, staged, stats);
    work.copies.set(inode, stagePath(work.areas, path));
  }
  // Whoever rolls this rollback back wants to know whether the operator edited what is put there now.
  work.write.set(path, written === undefined ? undefined : digestOf(staged));
}

function digestOf(file: string): string | undefined {
  try {
    return sha256(readFileSync(file));
  } catch (error) {
    if (isErrno(error, 'EINVAL', 'ENOENT', 'EISDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

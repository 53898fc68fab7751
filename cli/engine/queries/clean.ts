/** Frees what is kept for reuse. */
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '#schema/error';
import { openStore } from '../store/store.ts';
import { CACHE_DIRECTORY, STATE_DIRECTORY } from '../transaction/layout.ts';

export interface CleanOptions {
  readonly dryRun: boolean;
  /** Transactions whose undo data stays; `undefined` keeps all. */
  readonly keepUndo: number | undefined;
}

export interface CleanReport {
  readonly files: number;
  readonly bytes: number;
  /** Transactions that can no longer be undone. */
  readonly transactions: readonly number[];
}

/** Holds the root's lock meanwhile, so that no download in use is deleted. */
export function clean(root: string, options: CleanOptions): CleanReport {
  const store = openStore(root, { mode: 'write' });
  try {
    const undoable = store.history().filter((one) => one.undoable);
    const forgotten =
      options.keepUndo === undefined ? [] : undoable.slice(options.keepUndo).map((one) => one.number);
    const folders = [
      join(root, CACHE_DIRECTORY),
      ...forgotten.map((number) => join(root, STATE_DIRECTORY, 'undo', String(number))),
    ];
    const report = { files: 0, bytes: 0, transactions: forgotten };
    for (const folder of folders) measure(folder, report);
    if (options.dryRun) return report;
    const forget = store.database.prepare<[number]>('UPDATE history SET undoable = 0 WHERE number = ?');
    for (const number of forgotten) forget.run(number);
    for (const folder of folders)
      for (const name of namesIn(folder)) rmSync(join(folder, name), { recursive: true, force: true });
    return report;
  } finally {
    store.close();
  }
}

function measure(start: string, report: { files: number; bytes: number }): void {
  const folders = [start];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      const stats = lstatSync(path);
      if (stats.isDirectory()) folders.push(path);
      else Object.assign(report, { files: report.files + 1, bytes: report.bytes + stats.size });
    }
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

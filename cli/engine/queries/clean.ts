/** Frees what is kept for reuse. */
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '#schema/error';
import { openStore } from '../store/store.ts';
import { undoRows } from '../store/reader.ts';
import { expireUndo } from '../store/writer.ts';
import { clearUndo, findAreas } from '../transaction/areas.ts';
import { CACHE_DIRECTORY, usedAreas } from '../transaction/layout.ts';

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
    const paths = forgotten.flatMap((number) => undoRows(store.database, number).map(({ path }) => path));
    const areas = usedAreas(findAreas(root), paths);
    const cache = join(root, CACHE_DIRECTORY);
    const report = { files: 0, bytes: 0, transactions: forgotten };
    measure(cache, report);
    for (const { undo } of areas)
      for (const number of forgotten) measure(join(root, undo, String(number)), report);
    if (options.dryRun) return report;
    for (const name of namesIn(cache)) rmSync(join(cache, name), { recursive: true, force: true });
    const [newest] = forgotten;
    if (newest !== undefined) {
      expireUndo(store.database, newest);
      clearUndo(root, areas, (transaction) => transaction <= newest);
    }
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

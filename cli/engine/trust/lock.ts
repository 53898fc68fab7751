/** Keeps writers of one trust store apart, for the moment of a write. The kernel drops the lock with its holder. */
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { IcepkgError } from '#schema/error';
import { diskFull, readOnly, writeError } from './replace-file.ts';

/** Milliseconds that another writer may take; it holds the lock for a few small writes only. */
const PATIENCE = 10_000;

/** @throws IcepkgError `root-locked` where another process does not let go, `root-read-only`, `disk-full` */
export function withStoreLock<T>(directory: string, work: () => T): T {
  const file = join(directory, 'lock.sqlite');
  try {
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    throw writeError(directory, cause);
  }
  // Only who writes pays for loading it.
  const Database = createRequire(import.meta.url)('better-sqlite3') as typeof Sqlite;
  let database: Sqlite.Database | undefined;
  try {
    database = new Database(file, { timeout: PATIENCE });
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    if (!(cause instanceof Database.SqliteError)) throw cause;
    if (cause.code.startsWith('SQLITE_BUSY')) throw changedByOther(directory, cause);
    if (cause.code.startsWith('SQLITE_FULL')) throw diskFull(file, cause);
    throw readOnly(file, cause);
  }
  try {
    return work();
  } finally {
    database.close();
  }
}

export const changedByOther = (directory: string, cause?: unknown): IcepkgError =>
  new IcepkgError('root-locked', `another process is refreshing ${directory}`, {
    hint: 'Wait for it to finish, then run the command again',
    ...(cause === undefined ? {} : { cause }),
  });

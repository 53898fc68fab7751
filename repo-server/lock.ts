/** Keeps two writers of one repository apart. The kernel drops the lock with the process that holds it. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Sqlite from 'better-sqlite3';
import { IcepkgError } from '#schema/error';
import { doing, LOCK_FILE, makeFolder, removeLeftovers } from './layout.ts';

export interface LockOptions {
  /** How long to wait for another writer; 0 gives up at once. */
  readonly waitSeconds?: number;
  /** Called once where there is one to wait for. */
  readonly onWait?: () => void;
}

const PAUSE_MS = 100;

/**
 * Calls `work` while no other process writes the repository. What `work` reads is what the other one left.
 * @throws IcepkgError `root-locked` where another one still does after the wait, `disk-full`
 */
export async function withLock<T>(
  repository: string,
  work: () => T | Promise<T>,
  { waitSeconds = 0, onWait }: LockOptions = {},
): Promise<T> {
  const deadline = Date.now() + waitSeconds * 1000;
  let database = lock(repository);
  if (database === undefined && waitSeconds > 0) onWait?.();
  while (database === undefined && Date.now() < deadline) {
    await sleep(PAUSE_MS);
    database = lock(repository);
  }
  if (database === undefined) {
    throw new IcepkgError('root-locked', `the repository ${repository} is being changed by another process`, {
      hint: 'Wait for it to finish, then try again',
    });
  }
  try {
    removeLeftovers(repository);
    return await work();
  } finally {
    database.close();
  }
}

/** The lock, or `undefined` where another process has it. */
function lock(repository: string): Sqlite.Database | undefined {
  const file = join(repository, LOCK_FILE);
  doing(file, () => makeFolder(dirname(file)));
  const Database = createRequire(import.meta.url)('better-sqlite3') as typeof Sqlite;
  let database: Sqlite.Database | undefined;
  try {
    database = new Database(file, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (cause) {
    database?.close();
    if (!(cause instanceof Database.SqliteError)) throw cause;
    if (cause.code.startsWith('SQLITE_BUSY')) return undefined;
    if (cause.code.startsWith('SQLITE_FULL')) {
      throw new IcepkgError('disk-full', `${file}: no space left`, { hint: 'Free some space', cause });
    }
    throw new IcepkgError('io-failed', `${file}: cannot be locked (${cause.code})`, {
      hint: 'Check the owner and the mode of the folder',
      cause,
    });
  }
}

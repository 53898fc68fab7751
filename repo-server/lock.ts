/** Keeps two writers of one repository apart. The kernel drops the lock with the process that holds it. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { IcepkgError } from '#schema/error';
import { doing, LOCK_FILE, makeFolder, removeLeftovers } from './layout.ts';

/**
 * Calls `work` while no other process writes the repository.
 * @throws IcepkgError `root-locked` at once where another one does
 */
export async function withLock<T>(repository: string, work: () => T | Promise<T>): Promise<T> {
  const file = join(repository, LOCK_FILE);
  doing(file, () => makeFolder(dirname(file)));
  const Database = createRequire(import.meta.url)('better-sqlite3') as typeof Sqlite;
  let database: Sqlite.Database | undefined;
  try {
    database = new Database(file, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    if (!(cause instanceof Database.SqliteError)) throw cause;
    if (cause.code.startsWith('SQLITE_BUSY')) {
      throw new IcepkgError(
        'root-locked',
        `the repository ${repository} is being changed by another process`,
        {
          hint: 'Wait for it to finish, then try again',
          cause,
        },
      );
    }
    throw new IcepkgError('io-failed', `${file}: cannot be locked (${cause.code})`, {
      hint: 'Check the owner and the mode of the folder',
      cause,
    });
  }
  try {
    removeLeftovers(repository);
    return await work();
  } finally {
    database.close();
  }
}

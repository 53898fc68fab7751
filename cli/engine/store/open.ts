/** Opens and creates SQLite files and turns SQLite's complaints into errors a person can act on. */
import Database from 'better-sqlite3';
import { readSync, openSync, closeSync, fstatSync } from 'node:fs';
import { IcepkgError } from '#schema/error';
import { APPLICATION_ID, FROM_VERSION_1, SCHEMA, STORE_VERSION } from './schema.ts';
import type { MachineArch } from '#schema/fields';

export type Sqlite = Database.Database;

/** How long a writer waits for readers of the database to finish, in milliseconds. */
const BUSY_TIMEOUT = 5000;

/** Creates the database whole or not at all: it is written aside by the caller's choice of `file` and renamed. */
export function createDatabase(file: string, arch: MachineArch): void {
  const database = new Database(file);
  try {
    database.transaction(() => {
      database.exec(SCHEMA);
      database.prepare('INSERT INTO root (id, arch) VALUES (1, ?)').run(arch);
    })();
  } finally {
    database.close();
  }
}

/** @throws IcepkgError `store-corrupt`, `store-newer`, `root-read-only`, `root-invalid` */
export function openDatabase(file: string, mode: 'read' | 'write'): Sqlite {
  return translated(file, () => {
    const database = new Database(file, { fileMustExist: true, timeout: BUSY_TIMEOUT });
    try {
      checkIdentity(database, file);
      checkLength(file);
      if (mode === 'read') database.pragma('query_only = 1');
      else {
        database.pragma('synchronous = FULL');
        migrate(database);
      }
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

function checkIdentity(database: Sqlite, file: string): void {
  const identity = Number(database.pragma('application_id', { simple: true }));
  const version = Number(database.pragma('user_version', { simple: true }));
  if (identity !== APPLICATION_ID) throw corrupt(file, 'it is no icepkg database');
  if (version > STORE_VERSION) {
    throw new IcepkgError(
      'store-newer',
      `${file} has format ${version}; this icepkg knows up to ${STORE_VERSION}`,
      {
        hint: 'Use the newer icepkg that wrote it',
      },
    );
  }
  if (version < 1) throw corrupt(file, `its format number is ${version}`);
  database.prepare('SELECT arch FROM root').get();
}

/** Readers understand every version up to ours; a writer brings the database to ours first. */
function migrate(database: Sqlite): void {
  if (database.pragma('user_version', { simple: true }) === 1)
    database.transaction(() => database.exec(FROM_VERSION_1)).immediate();
}

/** SQLite notices a cut-off file only when it needs a missing page; look at once. */
function checkLength(file: string): void {
  const fd = openSync(file, 'r');
  try {
    const head = Buffer.alloc(32);
    readSync(fd, head, 0, 32, 0);
    const stored = head.readUInt16BE(16);
    const pageSize = stored === 1 ? 65536 : stored;
    const expected = head.readUInt32BE(28) * pageSize;
    if (fstatSync(fd).size < expected) throw corrupt(file, 'it is truncated');
  } finally {
    closeSync(fd);
  }
}

/** Runs `work`; SQLite errors leave it as `IcepkgError`s that name the file. */
export function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translateSqliteError(file, error);
  }
}

export function translateSqliteError(file: string, error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const { code } = error;
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_ERROR') {
    return corrupt(file, error.message, error);
  }
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_WRITE' || code === 'SQLITE_IOERR_TRUNCATE') {
    return new IcepkgError('disk-full', `no space left to write ${file}`, {
      hint: 'Free some space and try again; nothing was changed',
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN') || code === 'SQLITE_PERM') {
    return new IcepkgError('root-read-only', `cannot write ${file}: ${error.message}`, {
      hint: 'Remount the file system writable, or run icepkg as the owner of the root',
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new IcepkgError('root-locked', `${file} is in use by another process`, {
      hint: 'Wait for it to finish, then try again',
      cause: error,
    });
  }
  return new IcepkgError('io-failed', `${file}: ${error.message}`, { cause: error });
}

function corrupt(file: string, why: string, cause?: unknown): IcepkgError {
  return new IcepkgError('store-corrupt', `the package database ${file} is damaged: ${why}`, {
    hint: 'Restore it from a backup; no package file was touched',
    cause,
  });
}

/**
 * The lock of a root: an exclusive SQLite lock, which the kernel drops with the process that holds it. The
 * process id beside it only serves the message.
 */
import Database from 'better-sqlite3';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { HOLDER_FILE, LOCK_FILE } from '../transaction/layout.ts';
import { translateSqliteError } from './open.ts';

export interface Lock {
  release(): void;
}

/** @throws IcepkgError `root-locked` naming the process, `root-read-only` */
export function acquireLock(root: string): Lock {
  const file = join(root, LOCK_FILE);
  let database: Database.Database | undefined;
  try {
    database = new Database(file, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    const holder = join(root, HOLDER_FILE);
    rmSync(holder, { force: true });
    writeFileSync(holder, `${process.pid}\n`, { flag: 'wx' });
  } catch (error) {
    database?.close();
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY'))
      throw locked(root, error);
    if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
      throw new IcepkgError('disk-full', `no space left to lock ${root}`, {
        hint: 'Free some space',
        cause: error,
      });
    }
    if (isErrno(error, 'EROFS', 'EACCES', 'EPERM')) {
      throw new IcepkgError('root-read-only', `cannot write below ${root}`, {
        hint: 'Remount the file system writable, or run icepkg as the owner of the root',
        cause: error,
      });
    }
    throw translateSqliteError(file, error);
  }
  const held = database;
  return {
    release: () => {
      rmSync(join(root, HOLDER_FILE), { force: true });
      held.close();
    },
  };
}

function locked(root: string, cause: unknown): IcepkgError {
  const pid = holder(root);
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new IcepkgError('root-locked', `the root ${root} is being changed by ${who}`, {
    hint: 'Wait for it to finish, then try again',
    cause,
    data: pid === undefined ? {} : { pid },
  });
}

function holder(root: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(root, HOLDER_FILE), 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
}

/** Opens the database that says what is installed. */
import { join } from 'node:path';
import { checkOwnFolders } from '../root-fs/own-folders.ts';
import { STATE_FILE } from '../transaction/layout.ts';
import { acquireLock } from './lock.ts';
import type { StoreReader } from './model.ts';
import { openDatabase, translated, type Sqlite } from './open.ts';
import { createReader } from './reader.ts';

export interface Store extends StoreReader {
  /** For the engine's own writers; everybody else asks the reader. */
  readonly database: Sqlite;
  close(): void;
}

export interface OpenOptions {
  readonly mode: 'read' | 'write';
}

/**
 * Opens `ROOT/var/lib/ice-pkg/state.sqlite`. Mode `write` takes the root's lock until `close`.
 * @throws IcepkgError `store-corrupt`, `store-newer`, `root-read-only`, `root-locked`, `root-invalid`, or `path-unsafe`
 * where others may write to the root's own folders
 */
export function openStore(root: string, options: OpenOptions): Store {
  checkOwnFolders(root);
  const file = join(root, STATE_FILE);
  const lock = options.mode === 'write' ? acquireLock(root) : undefined;
  try {
    const database = openDatabase(file, options.mode);
    return {
      ...translatedReader(createReader(database), file),
      database,
      close: () => {
        database.close();
        lock?.release();
      },
    };
  } catch (error) {
    lock?.release();
    throw error;
  }
}

/** Damage deep in the file shows only when a question reaches it. */
function translatedReader(reader: StoreReader, file: string): StoreReader {
  return {
    arch: () => translated(file, () => reader.arch()),
    world: () => translated(file, () => reader.world()),
    installedPackages: () => translated(file, () => reader.installedPackages()),
    installedPackage: (name) => translated(file, () => reader.installedPackage(name)),
    headerOf: (name) => translated(file, () => reader.headerOf(name)),
    filesOf: (name) => translated(file, () => reader.filesOf(name)),
    allFiles: () => translated(file, () => reader.allFiles()),
    ownersOf: (path) => translated(file, () => reader.ownersOf(path)),
    history: () => translated(file, () => reader.history()),
    transaction: (number) => translated(file, () => reader.transaction(number)),
    pending: () => translated(file, () => reader.pending()),
  };
}

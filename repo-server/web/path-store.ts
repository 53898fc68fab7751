/**
 * The paths of packages in a small database among the operator's notes, so that each header is read once and not after every start.
 * It goes by the digest of the manifest, so nothing in it becomes wrong, and holds nothing that could not be read again.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type Sqlite from 'better-sqlite3';
import { isErrno } from '#schema/error';

const SCHEMA =
  'CREATE TABLE IF NOT EXISTS package (id INTEGER PRIMARY KEY, manifest TEXT NOT NULL UNIQUE, paths TEXT NOT NULL)';
const IN_MEMORY = ':memory:';
/** Packages that are looked through before other requests have their turn. */
const BATCH = 250;
/** Where the database is in memory, packages beyond that are left out. */
const MOST_BYTES_IN_MEMORY = 192 * 1024 * 1024;

export interface PackagePaths {
  /** Digest of the manifest. */
  readonly manifest: string;
  /** Lines, with a line feed before the first and after each. */
  readonly paths: string;
}

export class PathStore {
  readonly #database: Sqlite.Database;
  readonly #file: string;
  /** Digests of the manifests whose paths are here. */
  readonly #known: Set<string>;
  #room: number;

  private constructor(database: Sqlite.Database, file: string) {
    this.#database = database;
    this.#file = file;
    this.#known = new Set(database.prepare<[], string>('SELECT manifest FROM package').pluck().all());
    this.#room = file === IN_MEMORY ? MOST_BYTES_IN_MEMORY : Number.POSITIVE_INFINITY;
  }

  /** In memory where the file cannot be used; one that is damaged is made anew. */
  static async open(file: string): Promise<PathStore> {
    const { default: Database } = await import('better-sqlite3');
    try {
      mkdirSync(dirname(file), { recursive: true });
      try {
        return new PathStore(withTable(new Database(file, { timeout: 0 })), file);
      } catch (error) {
        if (!isDamage(error)) throw error;
        removeDatabase(file);
        return new PathStore(withTable(new Database(file, { timeout: 0 })), file);
      }
    } catch (error) {
      if (!(error instanceof Database.SqliteError) && !isErrno(error, ...UNUSABLE)) throw error;
    }
    return new PathStore(withTable(new Database(IN_MEMORY)), IN_MEMORY);
  }

  /** False once it was closed. */
  get isOpen(): boolean {
    return this.#database.open;
  }

  has(manifest: string): boolean {
    return this.#known.has(manifest);
  }

  /** @returns false where there is no room for them, or somebody else is writing */
  add(packages: readonly PackagePaths[]): boolean {
    const size = packages.reduce((sum, { paths }) => sum + paths.length, 0);
    if (size > this.#room) return false;
    const insert = this.#database.prepare('INSERT OR IGNORE INTO package (manifest, paths) VALUES (?, ?)');
    const added = this.#writing(() => {
      for (const { manifest, paths } of packages) insert.run(manifest, paths);
    });
    if (!added) return false;
    this.#room -= size;
    for (const { manifest } of packages) this.#known.add(manifest);
    return true;
  }

  /** Forgets all others. */
  keep(isWanted: (manifest: string) => boolean): void {
    const others = [...this.#known].filter((manifest) => !isWanted(manifest));
    if (others.length === 0) return;
    const remove = this.#database.prepare('DELETE FROM package WHERE manifest = ?');
    const removed = this.#writing(() => {
      for (const manifest of others) remove.run(manifest);
    });
    if (removed) for (const manifest of others) this.#known.delete(manifest);
  }

  /** Packages whose lines have the text somewhere; others have their turn in between. */
  async *holding(text: string): AsyncGenerator<PackagePaths> {
    const last = this.#database.prepare<[], number | null>('SELECT max(id) FROM package').pluck().get() ?? 0;
    const statement = this.#database.prepare<[number, number, string], PackagePaths>(
      'SELECT manifest, paths FROM package WHERE id > ? AND id <= ? AND instr(paths, ?) > 0',
    );
    for (let after = 0; after < last; after += BATCH) {
      await setImmediate();
      if (!this.#database.open) return;
      yield* statement.all(after, after + BATCH, text);
    }
  }

  close(): void {
    this.#database.close();
  }

  /** Closes it for good: the next one begins with nothing. */
  discard(): void {
    this.close();
    if (this.#file !== IN_MEMORY) removeDatabase(this.#file);
  }

  /** Two servers may share a repository: the one that is second tries again another time. */
  #writing(work: () => void): boolean {
    try {
      this.#database.transaction(work)();
      return true;
    } catch (error) {
      if (
        error instanceof Error &&
        'code' in error &&
        /^SQLITE_(?:BUSY|FULL|READONLY)/.test(String(error.code))
      )
        return false;
      throw error;
    }
  }
}

function withTable(database: Sqlite.Database): Sqlite.Database {
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    database.exec(SCHEMA);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What was not written yet would be written into the next one. */
function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
}

/** Whether the content of a database is at fault. */
export const isDamage = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^SQLITE_(?:CORRUPT|NOTADB)/.test(String(error.code));

const UNUSABLE = ['EACCES', 'EROFS', 'EPERM', 'ENOSPC', 'ENOTDIR'] as const;

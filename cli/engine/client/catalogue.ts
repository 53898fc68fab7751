/**
 * What is where in the shards of an index, so that a command decodes only those that it needs. It is made from shards
 * that were verified, holds nothing that could not be made again, and vouches for nothing: every record is read from its
 * shard, whose digest is compared each time.
 */
import Database from 'better-sqlite3';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { isErrno } from '#schema/error';
import { compareShards, type PackageRecord } from '#schema/index-shard';
import { capabilityName, dependenciesOf } from '../solver/universe.ts';
import type { LocatedShard, RecordRange } from './shard.ts';

/** A shard as signed targets name it. */
export interface NamedShard {
  readonly path: string;
  readonly sha256: string;
}

/** Where a record stands. */
export interface Place extends RecordRange {
  /** The target path of the shard. */
  readonly shard: string;
}

const VERSION = 2;
const SCHEMA = `
  CREATE TABLE shard (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, rank INTEGER NOT NULL);
  CREATE TABLE package (
    id INTEGER PRIMARY KEY, shard INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL,
    path TEXT NOT NULL, text TEXT NOT NULL, overruled INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX package_path ON package (path);
  CREATE INDEX package_shard ON package (shard);
  CREATE TABLE removed (shard INTEGER NOT NULL, path TEXT NOT NULL);
  CREATE TABLE key (key TEXT NOT NULL, package INTEGER NOT NULL, PRIMARY KEY (key, package)) WITHOUT ROWID;
  CREATE INDEX key_package ON key (package);
  PRAGMA user_version = ${VERSION};
`;

/** The key of packages that come along under a condition on `name`; of those with no such condition without a name. */
export const conditionKey = (name = ''): string => `?${name}`;

export class Catalogue {
  readonly #database: Database.Database;

  private constructor(database: Database.Database) {
    this.#database = database;
  }

  /**
   * The catalogue of these shards, brought up to date. Where the file cannot be used, it is made in memory.
   * @param read called for shards that are not in it yet
   */
  static open(
    file: string,
    shards: readonly NamedShard[],
    read: (shard: NamedShard) => LocatedShard,
  ): Catalogue {
    try {
      const kept = new Catalogue(openDatabase(file)).#bringUpTo(shards, read);
      if (kept.#freeze(shards)) return kept;
      kept.close();
    } catch (error) {
      if (!(error instanceof Database.SqliteError) && !isErrno(error, 'EACCES', 'EROFS', 'EPERM', 'ENOSPC'))
        throw error;
      if (/^SQLITE_(?:CORRUPT|NOTADB|ERROR)/.test(error.code ?? '')) rmSync(file, { force: true });
    }
    return new Catalogue(openDatabase(':memory:')).#bringUpTo(shards, read);
  }

  /** Places of packages with any of these keys: their names, what they provide and replace, and conditions. */
  keyed(keys: Iterable<string>): Place[] {
    const statement = this.#database.prepare<[string], Place>(
      `SELECT shard.path AS shard, start, length FROM key JOIN package ON package.id = key.package
       JOIN shard ON shard.id = package.shard WHERE key = ? AND NOT overruled`,
    );
    return [...keys].flatMap((key) => statement.all(key));
  }

  /** Places of packages with all of these words in their name, description or what they provide. */
  holding(words: readonly string[]): Place[] {
    const conditions = words.map(() => 'instr(text, ?) > 0').join(' AND ');
    return this.#database
      .prepare<string[], Place>(
        `SELECT shard.path AS shard, start, length FROM package JOIN shard ON shard.id = package.shard
         WHERE NOT overruled ${conditions === '' ? '' : `AND ${conditions}`}`,
      )
      .all(...words.map((word) => word.toLowerCase()));
  }

  /** Names of packages and of what they provide. */
  names(): string[] {
    return this.#database
      .prepare<[], string>(`SELECT DISTINCT key FROM key WHERE key NOT LIKE '?%'`)
      .pluck()
      .all();
  }

  count(): number {
    return (
      this.#database.prepare<[], number>('SELECT count(*) FROM package WHERE NOT overruled').pluck().get() ??
      0
    );
  }

  close(): void {
    this.#database.close();
  }

  #bringUpTo(shards: readonly NamedShard[], read: (shard: NamedShard) => LocatedShard): this {
    try {
      const change = this.#database.transaction(() => {
        const known = this.#known();
        const [there, wanted] = [new Set(known.map(nameOf)), new Set(shards.map(nameOf))];
        for (const one of known) if (!wanted.has(nameOf(one))) this.#remove(one.path);
        for (const one of shards) if (!there.has(nameOf(one))) this.#insert(one, read(one));
        this.#rank();
      });
      if (!this.#holds(shards)) change.immediate();
      return this;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Nothing that another process changes from here on is seen; false where one did already. */
  #freeze(shards: readonly NamedShard[]): boolean {
    this.#database.exec('BEGIN');
    return this.#holds(shards);
  }

  #known(): NamedShard[] {
    return this.#database.prepare<[], NamedShard>('SELECT path, sha256 FROM shard').all();
  }

  #holds(shards: readonly NamedShard[]): boolean {
    const known = new Map(this.#known().map(({ path, sha256 }) => [path, sha256]));
    return known.size === shards.length && shards.every(({ path, sha256 }) => known.get(path) === sha256);
  }

  #remove(path: string): void {
    const shard = this.#database
      .prepare<[string], number>('SELECT id FROM shard WHERE path = ?')
      .pluck()
      .get(path);
    for (const statement of [
      'DELETE FROM key WHERE package IN (SELECT id FROM package WHERE shard = ?)',
      'DELETE FROM package WHERE shard = ?',
      'DELETE FROM removed WHERE shard = ?',
      'DELETE FROM shard WHERE id = ?',
    ])
      this.#database.prepare(statement).run(shard);
  }

  #insert({ path, sha256 }: NamedShard, { content, ranges }: LocatedShard): void {
    const { packages, removed = [] } = content;
    const run = this.#database;
    const shard = run
      .prepare('INSERT INTO shard (path, sha256, rank) VALUES (?, ?, 0)')
      .run(path, sha256).lastInsertRowid;
    const insertPackage = run.prepare(
      'INSERT INTO package (shard, start, length, path, text) VALUES (?, ?, ?, ?, ?)',
    );
    const insertKey = run.prepare('INSERT OR IGNORE INTO key (key, package) VALUES (?, ?)');
    for (const [position, record] of packages.entries()) {
      const text = [record.name, record.description ?? '', ...(record.provides ?? [])]
        .join('\n')
        .toLowerCase();
      const range = ranges[position];
      const row = insertPackage.run(shard, range?.start, range?.length, record.package.path, text);
      for (const key of keysOf(record)) insertKey.run(key, row.lastInsertRowid);
    }
    const insertRemoved = run.prepare('INSERT INTO removed (shard, path) VALUES (?, ?)');
    for (const gone of removed) insertRemoved.run(shard, gone);
  }

  /** Numbers the shards in their order, and notes which records later ones overrule. */
  #rank(): void {
    const paths = this.#known().map(({ path }) => path);
    const setRank = this.#database.prepare('UPDATE shard SET rank = ? WHERE path = ?');
    for (const [rank, path] of paths.sort(compareShards).entries()) setRank.run(rank, path);
    this.#database.exec(`
      UPDATE package SET overruled = 0 WHERE overruled;
      UPDATE package SET overruled = 1 WHERE id IN (
        SELECT early.id FROM (SELECT path FROM package GROUP BY path HAVING count(*) > 1) AS several
        JOIN package late ON late.path = several.path JOIN shard lateshard ON lateshard.id = late.shard
        JOIN package early ON early.path = several.path JOIN shard earlyshard ON earlyshard.id = early.shard
        WHERE earlyshard.rank < lateshard.rank
        UNION ALL
        SELECT early.id FROM removed JOIN shard lateshard ON lateshard.id = removed.shard
        JOIN package early ON early.path = removed.path JOIN shard earlyshard ON earlyshard.id = early.shard
        WHERE earlyshard.rank < lateshard.rank
      );
    `);
  }
}

const nameOf = ({ path, sha256 }: NamedShard): string => `${path} ${sha256}`;

/** One of another version is made anew. */
function openDatabase(file: string): Database.Database {
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
  const database = new Database(file, { timeout: 5000 });
  const version = (): number => Number(database.pragma('user_version', { simple: true }));
  const create = database.transaction(() => void (version() === 0 && database.exec(SCHEMA)));
  try {
    if (version() === 0) create.immediate();
    if (version() === VERSION) return database;
  } catch (error) {
    database.close();
    throw error;
  }
  database.close();
  rmSync(file);
  return openDatabase(file);
}

function* keysOf(record: PackageRecord): Generator<string> {
  yield record.name;
  for (const text of record.provides ?? []) yield capabilityName(text);
  yield* namesIn(record.replaces);
  if (record.installIf === undefined || record.installIf.length === 0) return;
  const conditions = [...namesIn(record.installIf)];
  if (conditions.length === 0) yield conditionKey();
  for (const name of conditions) yield conditionKey(name);
}

/** What dependencies name, conflicts left out. */
export function* namesIn(texts: readonly string[] | undefined): Generator<string> {
  for (const dependency of dependenciesOf(texts))
    if (dependency.kind === 'needs') for (const { name } of dependency.anyOf) yield name;
}

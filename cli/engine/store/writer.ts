/** The one database transaction that is the commit point, and the small ones after it. */
import { canonicalJson } from '#schema/canonical-json';
import type { World } from '../model.ts';
import type { Journal, PackageState, RecordedChange, UndoRow } from './model.ts';
import type { Sqlite } from './open.ts';
import { packState, packWorld, rowFromOwned } from './rows.ts';

/** All that a commit changes in the database. */
export interface CommitRecord {
  readonly number: number;
  readonly time: string;
  readonly description: string;
  readonly user: string;
  readonly worldBefore: World;
  readonly worldAfter: World;
  readonly changes: readonly RecordedChange[];
  /** Packages touched, as they were; `undefined` where one was not installed. */
  readonly before: ReadonlyMap<string, PackageState | undefined>;
  /** The same packages as they are from now on; `undefined` where one is gone. */
  readonly after: ReadonlyMap<string, PackageState | undefined>;
  readonly undo: readonly UndoRow[];
  readonly journal: Journal;
}

/** Durable when it returns, and wholly without effect when it throws. */
export function commitRecord(database: Sqlite, record: CommitRecord): void {
  database
    .transaction(() => {
      writeHistory(database, record);
      writeWorld(database, record.worldAfter);
      writePackages(database, record.after);
      database
        .prepare('INSERT INTO journal (id, number, body) VALUES (1, ?, ?)')
        .run(record.number, JSON.stringify(record.journal));
    })
    .immediate();
}

function writeHistory(database: Sqlite, record: CommitRecord): void {
  database
    .prepare('INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, 1)')
    .run(
      record.number,
      record.time,
      record.description,
      record.user,
      packWorld(record.worldBefore),
      packWorld(record.worldAfter),
    );
  const change = database.prepare('INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  for (const [
    position,
    { action, name, arch, oldVersion, newVersion, repository, reason },
  ] of record.changes.entries()) {
    const versions = [oldVersion ?? null, newVersion ?? null];
    change.run(record.number, position, action, name, arch, ...versions, repository ?? null, reason);
  }
  const state = database.prepare('INSERT INTO states VALUES (?, ?, ?, ?)');
  for (const [name, before] of record.before) {
    const packed =
      before === undefined ? null : packState({ installed: before.installed, files: before.files });
    state.run(record.number, name, packed, before?.header ?? null);
  }
  const undo = database.prepare('INSERT INTO undo VALUES (?, ?, ?, ?, ?, ?, ?)');
  for (const row of record.undo) {
    undo.run(record.number, row.path, row.prior, row.mode, row.uid, row.gid, row.written ?? null);
  }
}

function writeWorld(database: Sqlite, world: World): void {
  database.exec('DELETE FROM world; DELETE FROM holds; DELETE FROM pins');
  const depend = database.prepare('INSERT INTO world VALUES (?, ?)');
  for (const [position, dependency] of world.depends.entries()) depend.run(position, dependency);
  const hold = database.prepare('INSERT OR IGNORE INTO holds VALUES (?)');
  for (const name of world.holds) hold.run(name);
  const pin = database.prepare('INSERT INTO pins VALUES (?, ?)');
  for (const [name, source] of Object.entries(world.pins)) pin.run(name, source);
}

function writePackages(database: Sqlite, after: CommitRecord['after']): void {
  const forgetFiles = database.prepare('DELETE FROM files WHERE package = ?');
  const forgetPackage = database.prepare('DELETE FROM packages WHERE name = ?');
  const insertPackage = database.prepare('INSERT INTO packages VALUES (?, ?, ?, ?, ?, ?)');
  const insertFile = database.prepare('INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  for (const [name, state] of after) {
    forgetFiles.run(name);
    forgetPackage.run(name);
    if (state === undefined) continue;
    const { record, repository, transaction, requested } = state.installed;
    const origin = [repository ?? null, transaction, requested ? 1 : 0];
    insertPackage.run(name, recordText(record), ...origin, state.header);
    for (const file of state.files) insertFile.run(...rowFromOwned(file));
  }
}

/** The same bytes wherever the record was read from. */
const recordText = (record: unknown): string => Buffer.from(canonicalJson(record)).toString();

/** Less is left to do than before. */
export function updateJournal(database: Sqlite, journal: Journal): void {
  database.prepare('UPDATE journal SET body = ?').run(JSON.stringify(journal));
}

/** Every file is in place and every script ran: nothing is left for recovery. */
export function clearJournal(database: Sqlite): void {
  database.prepare('DELETE FROM journal').run();
}

/**
 * Forgets how to undo transactions up to `number`; the history itself stays. Returns the paths that those had touched,
 * or `undefined` where there was nothing to forget.
 */
export function expireUndo(database: Sqlite, number: number): readonly string[] | undefined {
  const expired = database
    .prepare<[number], { number: number }>('SELECT number FROM history WHERE undoable = 1 AND number <= ?')
    .all(number);
  if (expired.length === 0) return undefined;
  const paths = database
    .prepare<[number], { path: string }>('SELECT DISTINCT path FROM undo WHERE number <= ?')
    .all(number);
  database.transaction(() => {
    database.prepare('UPDATE history SET undoable = 0 WHERE number <= ?').run(number);
    database.prepare('DELETE FROM states WHERE number <= ?').run(number);
    database.prepare('DELETE FROM undo WHERE number <= ?').run(number);
  })();
  return paths.map(({ path }) => path);
}

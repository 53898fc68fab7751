/** Every question the store answers. */
import type { Statement } from 'better-sqlite3';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import type { World } from '../model.ts';
import type {
  Journal,
  PackageState,
  RecordedChange,
  StoreReader,
  TransactionDetail,
  TransactionSummary,
  UndoRow,
} from './model.ts';
import type { Sqlite } from './open.ts';
import {
  installedFromRow,
  ownedFromRow,
  unpackState,
  unpackWorld,
  type FileRow,
  type PackageRow,
} from './rows.ts';

const PACKAGE = 'SELECT name, record, repository, number, requested FROM packages';

export function createReader(database: Sqlite): StoreReader {
  const prepared = new Map<string, Statement>();
  const all = <Row>(sql: string, ...parameters: readonly unknown[]): Row[] => {
    let statement = prepared.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      prepared.set(sql, statement);
    }
    return statement.all(...parameters) as Row[];
  };
  return {
    arch: () => {
      const row = all<{ arch: MachineArch }>('SELECT arch FROM root')[0];
      if (row === undefined) throw new IcepkgError('store-corrupt', `${database.name} names no architecture`);
      return row.arch;
    },
    world: () => readWorld(database),
    installedPackages: () => all<PackageRow>(`${PACKAGE} ORDER BY name`).map(installedFromRow),
    installedPackage: (name) => {
      const row = all<PackageRow>(`${PACKAGE} WHERE name = ?`, name)[0];
      return row === undefined ? undefined : installedFromRow(row);
    },
    headerOf: (name) =>
      all<{ header: Buffer }>('SELECT header FROM packages WHERE name = ?', name)[0]?.header,
    filesOf: (name) =>
      all<FileRow>('SELECT * FROM files WHERE package = ? ORDER BY path', name).map(ownedFromRow),
    allFiles: () => all<FileRow>('SELECT * FROM files ORDER BY path, package').map(ownedFromRow),
    ownersOf: (path) =>
      all<FileRow>('SELECT * FROM files WHERE path = ? ORDER BY package', path).map(ownedFromRow),
    history: () =>
      all<HistoryRow>('SELECT * FROM history ORDER BY number DESC').map((row) => summary(database, row)),
    transaction: (number) => {
      const row = all<HistoryRow>('SELECT * FROM history WHERE number = ?', number)[0];
      return row === undefined ? undefined : detail(database, row);
    },
    pending: () => {
      const row = all<{ body: string }>('SELECT body FROM journal')[0];
      return row === undefined ? undefined : (JSON.parse(row.body) as Journal);
    },
  };
}

function readWorld(database: Sqlite): World {
  const depends = database
    .prepare<[], { dependency: string }>('SELECT dependency FROM world ORDER BY position')
    .all();
  const holds = database.prepare<[], { name: string }>('SELECT name FROM holds ORDER BY name').all();
  const pins = database
    .prepare<[], { name: string; source: string }>('SELECT name, source FROM pins ORDER BY name')
    .all();
  return {
    depends: depends.map((row) => row.dependency),
    holds: holds.map((row) => row.name),
    pins: Object.fromEntries(pins.map((row) => [row.name, row.source])),
  };
}

interface HistoryRow {
  readonly number: number;
  readonly time: string;
  readonly description: string;
  readonly user: string;
  readonly world_before: string;
  readonly world_after: string;
  readonly undoable: number;
}

interface ChangeRow {
  readonly action: RecordedChange['action'];
  readonly name: string;
  readonly arch: string;
  readonly old_version: string | null;
  readonly new_version: string | null;
  readonly repository: string | null;
  readonly reason: string;
}

function summary(database: Sqlite, row: HistoryRow): TransactionSummary {
  const changes = database
    .prepare<[number], ChangeRow>('SELECT * FROM changes WHERE number = ? ORDER BY position')
    .all(row.number);
  return {
    number: row.number,
    time: row.time,
    description: row.description,
    user: row.user,
    undoable: row.undoable === 1,
    changes: changes.map((change) => ({
      action: change.action,
      name: change.name,
      arch: change.arch,
      oldVersion: change.old_version ?? undefined,
      newVersion: change.new_version ?? undefined,
      repository: change.repository ?? undefined,
      reason: change.reason,
    })),
  };
}

function detail(database: Sqlite, row: HistoryRow): TransactionDetail {
  return {
    ...summary(database, row),
    worldBefore: unpackWorld(row.world_before),
    worldAfter: unpackWorld(row.world_after),
  };
}

/** The number the next transaction gets; numbers are never used twice. */
export function nextTransaction(database: Sqlite): number {
  const row = database.prepare<[], { last: number | null }>('SELECT max(number) AS last FROM history').get();
  return (row?.last ?? 0) + 1;
}

/** A package with everything that puts its rows back. */
export function packageState(database: Sqlite, name: string): PackageState | undefined {
  const reader = createReader(database);
  const installed = reader.installedPackage(name);
  const header = reader.headerOf(name);
  return installed === undefined || header === undefined
    ? undefined
    : { installed, header, files: reader.filesOf(name) };
}

/** The packages a transaction touched as they were before it; `undefined` where one was not installed. */
export function statesBefore(
  database: Sqlite,
  number: number,
): ReadonlyMap<string, PackageState | undefined> {
  const rows = database
    .prepare<[number], { name: string; state: Buffer | null; header: Buffer | null }>(
      'SELECT name, state, header FROM states WHERE number = ?',
    )
    .all(number);
  return new Map(
    rows.map(({ name, state, header }) => [
      name,
      state === null || header === null ? undefined : { ...unpackState(state), header },
    ]),
  );
}

export function undoRows(database: Sqlite, number: number): readonly UndoRow[] {
  return database
    .prepare<[number], Omit<UndoRow, 'written'> & { written: string | null }>(
      'SELECT path, prior, mode, uid, gid, written FROM undo WHERE number = ? ORDER BY path',
    )
    .all(number)
    .map(({ path, prior, mode, uid, gid, written }) => ({
      path,
      prior,
      mode,
      uid,
      gid,
      written: written ?? undefined,
    }));
}

/** Between rows of the database and the nouns of the engine. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { PackageRecord } from '#schema/index-shard';
import type { InstalledPackage, World } from '../model.ts';
import type { OwnedFile } from './model.ts';

export interface PackageRow {
  readonly name: string;
  readonly record: string;
  readonly repository: string | null;
  readonly number: number;
  readonly requested: number;
}

export interface FileRow {
  readonly path: string;
  readonly package: string;
  readonly type: OwnedFile['type'];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly sha256: string | null;
  readonly target: string | null;
  readonly config: number;
  readonly deviation: string | null;
  /** Absent in a database of version 1. */
  readonly edited?: string | null;
}

export function installedFromRow(row: PackageRow): InstalledPackage {
  return {
    record: JSON.parse(row.record) as PackageRecord,
    repository: row.repository ?? undefined,
    transaction: row.number,
    requested: row.requested === 1,
  };
}

export function ownedFromRow(row: FileRow): OwnedFile {
  return {
    path: row.path,
    package: row.package,
    type: row.type,
    mode: row.mode,
    uid: row.uid,
    gid: row.gid,
    size: row.size,
    ...(row.sha256 === null ? {} : { sha256: row.sha256 }),
    ...(row.target === null ? {} : { target: row.target }),
    ...(row.config === 1 ? { config: true as const } : {}),
    ...(row.deviation === null ? {} : { deviation: row.deviation }),
    ...(typeof row.edited === 'string' ? { edited: row.edited } : {}),
  };
}

export function rowFromOwned(file: OwnedFile): readonly (string | number | null)[] {
  return [
    file.path,
    file.package,
    file.type,
    file.mode,
    file.uid,
    file.gid,
    file.size,
    file.sha256 ?? null,
    file.target ?? null,
    file.config === true ? 1 : 0,
    file.deviation ?? null,
    file.edited ?? null,
  ];
}

/** What `states.state` holds. */
export interface StoredState {
  readonly installed: InstalledPackage;
  readonly files: readonly OwnedFile[];
}

export function packState(state: StoredState): Buffer {
  return deflateRawSync(JSON.stringify(state), { level: 1 });
}

export function unpackState(bytes: Uint8Array): StoredState {
  return JSON.parse(inflateRawSync(bytes).toString('utf8')) as StoredState;
}

export const packWorld = (world: World): string => JSON.stringify(world);
export const unpackWorld = (text: string): World => JSON.parse(text) as World;

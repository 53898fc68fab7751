/** Which files of a repository somebody may still ask for, and which are there. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '#schema/error';
import { patchedPackage } from '#schema/patch/format';
import { parseMetadata } from '#schema/tuf/metadata';
import { channelsOf, metadataFolder, readIfAny } from './layout.ts';
import { readChannel } from './metadata.ts';
import { mirroredPackages, mirroredShards, readMirrorSettings } from './mirror-settings.ts';
import { carriedIndexes } from './older-snapshots.ts';
import type { Pool } from './pool.ts';
import { filesOf, recordsNamedBy, rememberingReader, shardFileOf, type IndexTargets } from './served.ts';
import { channelNumber, readSnapshot } from './snapshots.ts';

/**
 * Paths that the channels, the snapshots in `kept` and what is staged name.
 * @throws IcepkgError where a shard cannot be read: then nothing can be known to be unneeded
 */
export function referencedFiles(repository: string, pool: Pool, kept: ReadonlySet<number>): Set<string> {
  const files = new Set<string>();
  const read = rememberingReader();
  const settings = readMirrorSettings(repository);
  const addIndex = (targets: IndexTargets): void => {
    const shards = mirroredShards(targets, settings);
    for (const [path, target] of Object.entries(shards)) files.add(shardFileOf(path, target));
    const records = [...recordsNamedBy(repository, shards, read).values()];
    for (const record of mirroredPackages(records, settings ?? {}))
      for (const { path } of filesOf(record)) files.add(path);
  };
  for (const channel of channelsOf(repository)) {
    const { timestamp, snapshot, targets } = readChannel(repository, channel);
    const folder = metadataFolder(channel);
    if (timestamp === undefined || snapshot === undefined || targets === undefined) continue;
    files.add(`${folder}/${snapshot.signed.version}.snapshot.json`);
    files.add(`${folder}/${targets.signed.version}.targets.json`);
    addIndex(targets.signed.targets);
    for (const older of carriedIndexes(repository, channel, { targets: targets.signed, settings })) {
      files.add(older.path);
      addIndex(older.targets);
    }
    for (const name of targetsFiles(repository, folder)) {
      const bytes = readIfAny(join(repository, folder, name));
      if (bytes === undefined) continue;
      const number = channelNumber({ targets: parseMetadata(bytes, 'targets', name) });
      // The history of the channel, by which it finds its way back.
      if (number !== undefined && kept.has(number)) files.add(`${folder}/${name}`);
    }
  }
  for (const number of kept) addIndex(readSnapshot(repository, number).targets);
  for (const { add } of pool.staged.values()) {
    for (const path of add) {
      const record = pool.records.get(path);
      if (record !== undefined) for (const of of filesOf(record)) files.add(of.path);
    }
  }
  return files;
}

/** A patch, and the list that names it, are needed as long as the package that they lead to. */
export const isReferenced = (files: ReadonlySet<string>, path: string): boolean =>
  files.has(path) || files.has(patchedPackage(path) ?? path);

/** Packages and what lies beside them, shards, numbered metadata but roots. */
const COLLECTABLE = [
  /^packages\/[^/]+\/[^/.][^/]*\.icepkg(?:\.[a-z0-9.-]+)?$/,
  /^targets\/index\/[^/]+\/[0-9a-f]{64}\.[0-9a-f]+\.json\.zst$/,
  /^channels\/[^/]+\/metadata\/\d+\.(?:snapshot|targets)\.json$/,
];

/** What the collector may judge. */
export const isCollectable = (path: string): boolean => COLLECTABLE.some((kind) => kind.test(path));

/** The collectable files that are there. */
export function collectableFiles(repository: string): string[] {
  const folders = [
    ...foldersIn(repository, 'packages'),
    ...foldersIn(repository, 'targets/index'),
    ...channelsOf(repository).map(metadataFolder),
  ];
  return folders
    .flatMap((folder) => namesIn(repository, folder).map((name) => `${folder}/${name}`))
    .filter(isCollectable);
}

const targetsFiles = (repository: string, folder: string): string[] =>
  namesIn(repository, folder).filter((name) => /^\d+\.targets\.json$/.test(name));

const foldersIn = (repository: string, folder: string): string[] =>
  namesIn(repository, folder).map((name) => `${folder}/${name}`);

function namesIn(repository: string, folder: string): string[] {
  try {
    return fs.readdirSync(join(repository, folder));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

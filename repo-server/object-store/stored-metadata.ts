/** What an object store has of the metadata of a channel, beside what a folder has. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { historyIn } from '#schema/tuf/history';
import { parseMetadata } from '#schema/tuf/metadata';
import { channelsOf, metadataFolder, readIfAny } from '../layout.ts';
import { readChannel } from '../metadata.ts';
import { readableRecords, rememberingReader } from '../served.ts';
import type { ObjectStore } from './s3.ts';

/** The entry of a channel in a store. */
export interface StoredEntry {
  readonly text: string;
  readonly etag: string;
  readonly version: number;
  /** Of the snapshot that it leads to. */
  readonly snapshot: { readonly version: number; readonly sha256: string | undefined };
}

/** `undefined` where the channel was never published there. @throws IcepkgError `trust-failed`, `network-failed` */
export async function readStoredEntry(store: ObjectStore, channel: string): Promise<StoredEntry | undefined> {
  const path = `${metadataFolder(channel)}/timestamp.json`;
  const stored = await store.get(path);
  if (stored === undefined) return undefined;
  const { signed } = parseMetadata(Buffer.from(stored.text), 'timestamp', store.addressOf(path));
  const { version, hashes } = signed.meta['snapshot.json'];
  return { ...stored, version: signed.version, snapshot: { version, sha256: hashes?.['sha256'] } };
}

/**
 * Packages whose bytes in the store are ours: what it serves of a channel came from this folder, and no other content ever comes
 * under the name of a package. What the folder has collected since is left out.
 */
export function servedPackages(repository: string, channel: string, { snapshot }: StoredEntry): Set<string> {
  const folder = metadataFolder(channel);
  const read = <T extends 'snapshot' | 'targets'>(version: number | undefined, type: T) => {
    const path = `${folder}/${version ?? 0}.${type}.json`;
    const bytes = readIfAny(join(repository, path));
    return bytes === undefined ? undefined : parseMetadata(bytes, type, path).signed;
  };
  const paths = new Set<string>();
  const newest = read(read(snapshot.version, 'snapshot')?.meta['targets.json']?.version, 'targets');
  if (newest === undefined) return paths;
  const readOnce = rememberingReader();
  const older = Object.values(historyIn(newest, `${folder}: history`)).map((of) =>
    read(of.version, 'targets'),
  );
  for (const targets of [newest, ...older]) {
    if (targets === undefined) continue;
    const records = readableRecords(repository, targets.targets, () => undefined, readOnce);
    for (const path of records.keys()) paths.add(path);
  }
  return paths;
}

/** Paths of the numbered snapshots and targets that the entries of all channels lead to, those they vouch for included. */
export function namedMetadata(repository: string): ReadonlySet<string> {
  const named = new Set<string>();
  for (const channel of channelsOf(repository)) {
    const folder = metadataFolder(channel);
    if (!existsSync(join(repository, folder, 'timestamp.json'))) continue;
    const { snapshot, targets } = readChannel(repository, channel);
    if (snapshot === undefined || targets === undefined) continue;
    named.add(`${folder}/${snapshot.signed.version}.snapshot.json`);
    const older = Object.values(historyIn(targets.signed, `${folder}: history`));
    for (const { version } of [targets.signed, ...older]) named.add(`${folder}/${version}.targets.json`);
  }
  return named;
}

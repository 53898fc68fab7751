/**
 * Snapshots: numbered, immutable states of an index. A snapshot names its shards by digest, so it costs what changed
 * and stays as it is; channels point at snapshots, by the member `snapshot` of their signed targets.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { IcepkgError, isErrno } from '#schema/error';
import { snapshotNumberIn, type History, type NumberedTargets } from '#schema/tuf/history';
import { parseMetadata, TargetFileSchema, type Targets } from '#schema/tuf/metadata';
import { readRepositoryConfig } from './config.ts';
import { channelsOf, metadataFolder, PRIVATE_FOLDER, readIfAny } from './layout.ts';
import { metaOf, readChannel } from './metadata.ts';
import type { IndexTargets } from './served.ts';

export const SNAPSHOT_FOLDER = `${PRIVATE_FOLDER}/snapshots`;

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const SnapshotDocumentSchema = v.strictObject({
  format: v.literal(1),
  number: v.pipe(Count, v.minValue(1)),
  created: v.pipe(v.string(), v.isoTimestamp()),
  /** Of whose packages it was made. */
  channel: v.string(),
  message: v.optional(v.string()),
  /** How many packages it has, of all architectures. */
  packages: Count,
  targets: v.record(v.string(), TargetFileSchema),
});
export type SnapshotDocument = v.InferOutput<typeof SnapshotDocumentSchema>;

export const snapshotFile = (number: number): string => `${SNAPSHOT_FOLDER}/${number}.json`;

export const encodeSnapshot = (snapshot: SnapshotDocument): Uint8Array => canonicalJson(snapshot);

/** @throws IcepkgError `not-found` where there is none of that number any more */
export function readSnapshot(repository: string, number: number): SnapshotDocument {
  const file = join(repository, snapshotFile(number));
  const bytes = readIfAny(file);
  if (bytes === undefined) {
    throw new IcepkgError('not-found', `${repository} has no snapshot ${number}`, {
      hint: 'See which there are: icepkg repo snapshots',
    });
  }
  return decode(SnapshotDocumentSchema, parseJson(bytes, file), file);
}

/** The numbers of all snapshots, oldest first. */
export function snapshotNumbers(repository: string): number[] {
  try {
    return fs
      .readdirSync(join(repository, SNAPSHOT_FOLDER))
      .flatMap((name) => /^([1-9]\d*)\.json$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** The number of the snapshot that a channel serves; absent where it was published before there were numbers. */
export function channelNumber({
  targets,
}: {
  readonly targets: { readonly signed: Targets } | undefined;
}): number | undefined {
  return targets && snapshotNumberIn(targets.signed);
}

/**
 * The snapshots that a channel served, newest first, as its signed targets tell.
 * @param newest version of the targets that it serves; 0 where it was never published
 */
export function historyOf(
  repository: string,
  channel: string,
  newest = readChannel(repository, channel).targets?.signed.version ?? 0,
): readonly ServedSnapshot[] {
  const served: ServedSnapshot[] = [];
  for (let version = newest; version > 0; version--) {
    const name = `${metadataFolder(channel)}/${version}.targets.json`;
    const bytes = readIfAny(join(repository, name));
    // Older ones were collected.
    if (bytes === undefined) break;
    const { signed } = parseMetadata(bytes, 'targets', name);
    const number = channelNumber({ targets: { signed } });
    const { message } = signed;
    const said = typeof message === 'string' ? message : undefined;
    if (number !== undefined && served.at(-1)?.number !== number)
      served.push({ number, version, message: said });
  }
  return served;
}

/** How many snapshots a client may be held at beside the one that is served: each costs every client some 130 bytes. */
const MOST_IN_HISTORY = 32;

/** The newest snapshots that a channel served and that are kept, without the one that it is going to serve. */
export function historyToSign(
  repository: string,
  channel: string,
  of: { readonly newest: number; readonly serving: number | undefined },
): History {
  const kept = new Set(snapshotNumbers(repository));
  const history: Record<string, NumberedTargets> = {};
  for (const { number, version } of historyOf(repository, channel, of.newest)) {
    if (number === of.serving || !kept.has(number) || history[number] !== undefined) continue;
    const bytes = readIfAny(join(repository, metadataFolder(channel), `${version}.targets.json`));
    if (bytes !== undefined) history[number] = metaOf(version, bytes);
    if (Object.keys(history).length === MOST_IN_HISTORY) break;
  }
  return history;
}

export interface ServedSnapshot {
  readonly number: number;
  /** Of the targets that named it. */
  readonly version: number;
  /** What was said with them. */
  readonly message: string | undefined;
}

/** The number that the next snapshot gets: greater than any that was ever served or kept. */
export function nextNumber(repository: string): number {
  const served = channelsOf(repository).map(
    (channel) => channelNumber(readChannel(repository, channel)) ?? 0,
  );
  return Math.max(0, ...served, snapshotNumbers(repository).at(-1) ?? 0) + 1;
}

/** What a person means by a snapshot: its number, or the channel that serves it. */
export interface NamedIndex {
  readonly name: string;
  readonly number: number | undefined;
  readonly targets: IndexTargets;
}

/** @throws IcepkgError `not-found` */
export function resolveIndex(repository: string, name: string): NamedIndex {
  if (/^[1-9]\d{0,8}$/.test(name)) {
    const { number, targets } = readSnapshot(repository, Number(name));
    return { name: `snapshot ${name}`, number, targets };
  }
  const metadata = readChannel(repository, name);
  return { name, number: channelNumber(metadata), targets: metadata.targets?.signed.targets ?? {} };
}

export interface ListedSnapshot {
  readonly number: number;
  readonly created: string;
  readonly channel: string;
  readonly message: string | undefined;
  readonly packages: number;
  /** Channels that serve it. */
  readonly servedAs: readonly string[];
  /** What was said when a channel was moved to it, by a promotion or back; the latest first. */
  readonly moves: readonly { readonly channel: string; readonly message: string }[];
}

/** All snapshots, newest first. @throws IcepkgError `not-found` where the folder is no repository */
export function listSnapshots(repository: string): ListedSnapshot[] {
  readRepositoryConfig(repository);
  const channels = channelsOf(repository).map((name) => ({
    name,
    number: channelNumber(readChannel(repository, name)),
    history: historyOf(repository, name),
  }));
  return snapshotNumbers(repository)
    .reverse()
    .map((number) => {
      const { created, channel, message, packages } = readSnapshot(repository, number);
      const servedAs = channels.filter((of) => of.number === number).map(({ name }) => name);
      const moves = channels.flatMap(({ name, history }) =>
        history
          .filter((of) => of.number === number && of.message !== message)
          .flatMap((of) => (of.message === undefined ? [] : { channel: name, message: of.message })),
      );
      return { number, created, channel, message, packages, servedAs, moves };
    });
}

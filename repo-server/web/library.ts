/**
 * The channels of a repository as the pages show them, read again only after something was published.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { IcepkgError } from '#schema/error';
import type { IndexShard, PackageRecord } from '#schema/index-shard';
import { readRepositoryConfig, ROLES, type ExpiryDays } from '../config.ts';
import { channelsOf, CONFIG_FILE, DEFAULT_CHANNEL, metadataFolder } from '../layout.ts';
import { isSignedFor, readChannel, type ChannelMetadata } from '../metadata.ts';
import { mirroredPackages, mirroredShards, readMirrorSettings } from '../mirror-settings.ts';
import { readableRecords, readShard, shardFileOf, type IndexTargets, type ReadShard } from '../served.ts';
import { channelNumber } from '../snapshots.ts';
import { buildCatalogue, type Catalogue } from './catalogue.ts';

export interface ChannelView {
  readonly name: string;
  /** Of the snapshot that it serves. */
  readonly number: number | undefined;
  readonly metadata: ChannelMetadata;
  /** Says which index this is: equal ones are equal. */
  readonly index: string;
  readonly catalogue: Catalogue;
  readonly records: readonly PackageRecord[];
  /** What keeps it from being shown as it was signed. */
  readonly problems: readonly string[];
}

export interface RepositoryView {
  readonly name: string;
  readonly expiryDays: ExpiryDays;
  /** Those that were published, the default one first. */
  readonly channels: readonly ChannelView[];
  /** Why channels are not shown at all. */
  readonly problems: readonly string[];
  /** Goes up whenever something else is shown. */
  readonly state: number;
}

interface LoadedIndex {
  readonly index: string;
  readonly records: readonly PackageRecord[];
  readonly catalogue: Catalogue;
  readonly problems: readonly string[];
}

/** How long a request waits for what was just published. */
const PATIENCE_MS = 500;
const RETRY_MS = 10_000;

/** Brings a file of the repository into its folder, where it can be had and is not there yet; says nothing where it cannot. */
export type Provide = (path: string) => Promise<void>;

export class Library {
  readonly root: string;
  readonly #provide: Provide;
  #stamp = '';
  #troubled = false;
  #view: RepositoryView | undefined;
  #loading: Promise<RepositoryView> | undefined;
  #indexes = new Map<string, LoadedIndex>();
  /** Those that the channels serve, by their digests. */
  #shards = new Map<string, IndexShard>();

  /** @param root real path of the repository */
  constructor(root: string, provide: Provide) {
    this.root = root;
    this.#provide = provide;
  }

  /** What is published; what was before where something new takes long to read. */
  async view(): Promise<RepositoryView> {
    // What could not be read may be there again.
    const retry = this.#troubled ? ` ${Math.floor(Date.now() / RETRY_MS)}` : '';
    const stamp = stampOf(this.root) + retry;
    const known = this.#view;
    if (known !== undefined && stamp === this.#stamp) return known;
    this.#loading ??= this.#reload(stamp);
    if (known === undefined) return this.#loading;
    return Promise.race([this.#loading, setTimeout(PATIENCE_MS, known, { ref: false })]).catch(() => known);
  }

  /** Reads a shard, from memory where a channel serves it. */
  readonly read: ReadShard = (repository, path, target) =>
    this.#shards.get(digestOf(target)) ?? readShard(repository, path, target);

  async #reload(stamp: string): Promise<RepositoryView> {
    try {
      this.#view = await this.#load();
      this.#stamp = stamp;
      this.#troubled =
        this.#view.problems.length > 0 || this.#view.channels.some((of) => of.problems.length > 0);
      return this.#view;
    } finally {
      this.#loading = undefined;
    }
  }

  async #load(): Promise<RepositoryView> {
    const { name, expiryDays } = readRepositoryConfig(this.root);
    const channels: ChannelView[] = [];
    const indexes = new Map<string, LoadedIndex>();
    const shards = new Map<string, IndexShard>();
    const problems: string[] = [];
    for (const channel of channelsOf(this.root)) {
      let metadata: ChannelMetadata;
      try {
        metadata = readChannel(this.root, channel);
      } catch (error) {
        if (!(error instanceof IcepkgError)) throw error;
        problems.push(`The channel ${channel} cannot be read`);
        continue;
      }
      if (metadata.targets === undefined) continue;
      const loaded = await this.#loadIndex(metadata.targets.signed.targets, shards);
      indexes.set(loaded.index, loaded);
      channels.push({
        ...loaded,
        name: channel,
        number: channelNumber(metadata),
        metadata,
        problems: [...signatureProblems(metadata), ...loaded.problems],
      });
    }
    this.#indexes = indexes;
    this.#shards = shards;
    channels.sort((a, b) => Number(b.name === DEFAULT_CHANNEL) - Number(a.name === DEFAULT_CHANNEL));
    return { name, expiryDays, channels, problems, state: (this.#view?.state ?? 0) + 1 };
  }

  /** @param shards gets those that were read */
  async #loadIndex(all: IndexTargets, shards: Map<string, IndexShard>): Promise<LoadedIndex> {
    const settings = readMirrorSettings(this.root);
    const targets = mirroredShards(all, settings);
    const index = Object.entries(targets)
      .map(([path, target]) => `${path} ${digestOf(target)}`)
      .join('\n');
    const known = this.#indexes.get(index);
    if (known?.problems.length === 0) {
      for (const target of Object.values(targets)) {
        const shard = this.#shards.get(digestOf(target));
        if (shard !== undefined) shards.set(digestOf(target), shard);
      }
      return known;
    }
    const problems = new Set<string>();
    for (const [path, target] of Object.entries(targets)) {
      const digest = digestOf(target);
      // One at a time, and others in between, because a large index takes seconds.
      if (!this.#shards.has(digest)) {
        await setImmediate();
        await this.#provide(shardFileOf(path, target));
      }
      const shard = readable(() => this.read(this.root, path, target));
      if (shard !== undefined) shards.set(digest, shard);
    }
    const records = readableRecords(
      this.root,
      targets,
      ({ message }) => problems.add(`A part of the index cannot be read: ${message}`),
      (root, path, target) => shards.get(digestOf(target)) ?? readShard(root, path, target),
    );
    const here = mirroredPackages([...records.values()], settings ?? {});
    return { index, records: here, catalogue: buildCatalogue(here), problems: [...problems] };
  }
}

const digestOf = ({ hashes }: IndexTargets[string]): string => hashes['sha256'] ?? '';

/** Nothing where the shard is missing or damaged; who reads the whole index hears of it. */
function readable(read: () => IndexShard): IndexShard | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

function* signatureProblems(metadata: ChannelMetadata): Generator<string> {
  for (const role of ROLES) {
    const signed = metadata[role];
    if (signed !== undefined && !isSignedFor(metadata.root.signed, role, signed))
      yield `The ${role} metadata lacks signatures: clients refuse it`;
  }
}

/** Changes with everything that is read here. */
function stampOf(root: string): string {
  const files = channelsOf(root).flatMap((channel) =>
    ['timestamp.json', 'root.json'].map((name) => `${metadataFolder(channel)}/${name}`),
  );
  return [CONFIG_FILE, ...files]
    .map((file) => {
      const stat = statSync(join(root, file), { throwIfNoEntry: false });
      return stat === undefined ? `${file} none` : `${file} ${stat.ino} ${stat.mtimeMs} ${stat.size}`;
    })
    .join('\n');
}

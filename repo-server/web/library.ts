/**
 * The channels of a repository as the pages show them, read again only after something was published.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { PackageRecord } from '#schema/index-shard';
import { readRepositoryConfig, ROLES, type ExpiryDays } from '../config.ts';
import { channelsOf, CONFIG_FILE, DEFAULT_CHANNEL, metadataFolder } from '../layout.ts';
import { isSignedFor, readChannel, type ChannelMetadata } from '../metadata.ts';
import { mirroredPackages, mirroredShards, readMirrorSettings } from '../mirror-settings.ts';
import { readableRecords, type IndexTargets } from '../served.ts';
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

export class Library {
  readonly root: string;
  #stamp = '';
  #view: RepositoryView | undefined;
  #loading: Promise<RepositoryView> | undefined;
  #indexes = new Map<string, LoadedIndex>();

  /** @param root real path of the repository */
  constructor(root: string) {
    this.root = root;
  }

  /** What is published; what was before where something new takes long to read. */
  async view(): Promise<RepositoryView> {
    const stamp = stampOf(this.root);
    const known = this.#view;
    if (known !== undefined && stamp === this.#stamp) return known;
    this.#loading ??= this.#reload(stamp);
    if (known === undefined) return this.#loading;
    return Promise.race([this.#loading, setTimeout(PATIENCE_MS, known, { ref: false })]).catch(() => known);
  }

  async #reload(stamp: string): Promise<RepositoryView> {
    try {
      this.#view = await this.#load();
      this.#stamp = stamp;
      return this.#view;
    } finally {
      this.#loading = undefined;
    }
  }

  async #load(): Promise<RepositoryView> {
    const { name, expiryDays } = readRepositoryConfig(this.root);
    const channels: ChannelView[] = [];
    const indexes = new Map<string, LoadedIndex>();
    for (const channel of channelsOf(this.root)) {
      const metadata = readChannel(this.root, channel);
      if (metadata.targets === undefined) continue;
      await setImmediate();
      const loaded = this.#loadIndex(metadata.targets.signed.targets);
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
    channels.sort((a, b) => Number(b.name === DEFAULT_CHANNEL) - Number(a.name === DEFAULT_CHANNEL));
    return { name, expiryDays, channels, state: (this.#view?.state ?? 0) + 1 };
  }

  #loadIndex(all: IndexTargets): LoadedIndex {
    const settings = readMirrorSettings(this.root);
    const targets = mirroredShards(all, settings);
    const index = Object.entries(targets)
      .map(([path, { hashes }]) => `${path} ${hashes['sha256'] ?? ''}`)
      .join('\n');
    const known = this.#indexes.get(index);
    if (known?.problems.length === 0) return known;
    const problems: string[] = [];
    const records = readableRecords(this.root, targets, ({ message }) =>
      problems.push(`A part of the index cannot be read: ${message}`),
    );
    const here = mirroredPackages([...records.values()], settings ?? {});
    return { index, records: here, catalogue: buildCatalogue(here), problems };
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

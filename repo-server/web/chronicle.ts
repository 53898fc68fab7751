/**
 * What a channel served, and when each package came into it: read from the targets files that are kept, which are
 * signed and never change, so each is read once.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { IcepkgError } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';
import { parseMetadata } from '#schema/tuf/metadata';
import { metadataFolder, readIfAny } from '../layout.ts';
import { readableRecords, type IndexTargets } from '../served.ts';
import { channelNumber, readSnapshot } from '../snapshots.ts';
import type { Library } from './library.ts';

/** States that are looked at, counted from the newest. */
const MOST_STATES = 200;
/** How long a request waits for what was not read yet. */
const PATIENCE_MS = 1000;

/** What a channel served from one publish to the next. */
export interface ServedState {
  /** Of the targets file that named it first. */
  readonly version: number;
  /** Of the snapshot; absent where it was published before there were numbers. */
  readonly number: number | undefined;
  readonly at: string;
  readonly message: string | undefined;
  /** Files in the index, what is for every machine counted once for each architecture. */
  readonly targets: IndexTargets;
}

export interface Arrival {
  readonly record: PackageRecord;
  readonly at: string;
  /** Of the snapshot that it came with. */
  readonly number: number | undefined;
}

export interface Told {
  /** Newest first. */
  readonly states: readonly ServedState[];
  /** Every package that a kept state names, the latest to come first. */
  readonly arrivals: readonly Arrival[];
  /** By the name of the package. */
  readonly byName: ReadonlyMap<string, readonly Arrival[]>;
  readonly complete: boolean;
}

export class Chronicle {
  readonly #library: Library;
  readonly #channel: string;
  readonly #files = new Map<number, ServedState | undefined>();
  readonly #seenShards = new Set<string>();
  /** By the package's path, in the order of coming. */
  readonly #arrivals = new Map<string, Arrival>();
  readonly #byName = new Map<string, Arrival[]>();
  #latest: readonly Arrival[] | undefined;
  #states: readonly ServedState[] = [];
  #reading: Promise<void> | undefined;
  #read = 0;

  constructor(library: Library, channel: string) {
    this.#library = library;
    this.#channel = channel;
  }

  /**
   * What is known after a moment: older states are read on meanwhile.
   * @param version of the targets that the channel serves
   */
  async told(version: number): Promise<Told> {
    if (this.#read < version) {
      this.#reading ??= this.#readUpTo(version).finally(() => (this.#reading = undefined));
      await Promise.race([this.#reading, setTimeout(PATIENCE_MS, undefined, { ref: false })]);
    }
    this.#latest ??= [...this.#arrivals.values()].sort(
      (a, b) => comparePaths(b.at, a.at) || comparePaths(a.record.package.path, b.record.package.path),
    );
    return {
      states: this.#states,
      arrivals: this.#latest,
      byName: this.#byName,
      complete: this.#read >= version,
    };
  }

  async #readUpTo(version: number): Promise<void> {
    const states: ServedState[] = [];
    for (let at = version; at > 0 && states.length < MOST_STATES; at--) {
      if (!this.#files.has(at)) {
        await setImmediate();
        this.#files.set(at, this.#stateOf(at));
      }
      const state = this.#files.get(at);
      // Older ones were collected.
      if (state === undefined) break;
      const newer = states.at(-1);
      if (newer !== undefined && sameIndex(newer, state)) states[states.length - 1] = state;
      else states.push(state);
    }
    for (const state of states.toReversed()) await this.#take(state);
    this.#states = states;
    this.#latest = undefined;
    this.#read = version;
  }

  #stateOf(version: number): ServedState | undefined {
    const name = `${metadataFolder(this.#channel)}/${version}.targets.json`;
    const file = join(this.#library.root, name);
    const bytes = readIfAny(file);
    if (bytes === undefined) return undefined;
    const { signed } = parseMetadata(bytes, 'targets', name);
    const number = channelNumber({ targets: { signed } });
    const { message } = signed;
    return {
      version,
      number,
      at: this.#timeOf(number) ?? statSync(file).mtime.toISOString(),
      message: typeof message === 'string' ? message : undefined,
      targets: signed.targets,
    };
  }

  /** When a snapshot was made, where it was made of this channel's packages and is kept. */
  #timeOf(number: number | undefined): string | undefined {
    if (number === undefined) return undefined;
    try {
      const { channel, created } = readSnapshot(this.#library.root, number);
      return channel === this.#channel ? created : undefined;
    } catch (error) {
      if (!(error instanceof IcepkgError)) throw error;
      return undefined;
    }
  }

  async #take({ targets, at, number }: ServedState): Promise<void> {
    for (const [path, target] of Object.entries(targets)) {
      const digest = target.hashes['sha256'] ?? '';
      if (this.#seenShards.has(digest)) continue;
      await setImmediate();
      const { root, read } = this.#library;
      let whole = true;
      // A shard that was collected tells nothing; one that is missing may come back.
      const missing = (): boolean => (whole = false);
      const records = readableRecords(root, { [path]: target }, missing, read);
      for (const record of records.values()) this.#arrive({ record, at, number });
      this.#latest = undefined;
      if (whole) this.#seenShards.add(digest);
    }
  }

  #arrive(arrival: Arrival): void {
    const { name, package: file } = arrival.record;
    if (this.#arrivals.has(file.path)) return;
    this.#arrivals.set(file.path, arrival);
    const known = this.#byName.get(name);
    if (known === undefined) this.#byName.set(name, [arrival]);
    else known.push(arrival);
  }
}

const sameIndex = (a: ServedState, b: ServedState): boolean => {
  const [one, other] = [Object.entries(a.targets), b.targets];
  return (
    one.length === Object.keys(other).length &&
    one.every(([path, { hashes }]) => other[path]?.hashes['sha256'] === hashes['sha256'])
  );
};

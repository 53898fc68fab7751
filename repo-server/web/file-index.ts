/**
 * Which package has which path: read from the headers of the packages, each compared with what the index pins, in the background
 * and once, then looked through where they were written down.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { readHeader } from '#schema/container/read';
import { IcepkgError, isErrno } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { MAX_HEADER_BYTES } from '#schema/limits';
import type { FileEntry } from '#schema/manifest';
import { comparePaths } from '#schema/path';
import { newestOfEach } from './catalogue.ts';
import { PRIVATE_FOLDER } from '../layout.ts';
import type { ChannelView } from './library.ts';
import { isDamage, PathStore, type PackagePaths } from './path-store.ts';

const PATHS_FILE = `${PRIVATE_FOLDER}/paths-1.sqlite`;
/** Packages that are read before they are written down. */
const BATCH = 100;
const MOST_HITS = 1000;
const PATIENCE_MS = 1500;

export interface FileHit {
  /** Without the first slash. */
  readonly path: string;
  readonly record: PackageRecord;
}

export interface FileSearch {
  /** The best first: the whole path, then the whole name, then any part. */
  readonly hits: readonly FileHit[];
  /** Whether there were more than are given. */
  readonly more: boolean;
  /** Packages that were looked through, and how many there are. */
  readonly read: number;
  readonly of: number;
}

export class FileIndex {
  readonly #root: string;
  #store: Promise<PathStore> | undefined;
  /** Packages that are not in the folder, or not what the index pins, by the digest of the manifest. */
  readonly #absent = new Set<string>();
  /** Packages that each channel serves, the newest version for each architecture. */
  readonly #wanted = new Map<string, Wanted>();
  #reading: Promise<void> | undefined;
  #stopped = false;

  constructor(root: string) {
    this.#root = root;
  }

  /** Reads no more packages: with very many, whoever ends the server would wait for all of them. */
  stop(): void {
    this.#stopped = true;
    void this.#store?.then((store) => store.close());
  }

  /**
   * @param channels all that are served: what none of them has is forgotten
   * @param words a part of a path; after a slash, the beginning of one
   */
  async search(channels: readonly ChannelView[], channel: ChannelView, words: string): Promise<FileSearch> {
    const wanted = { channels, channel, words };
    const opened = this.#open();
    const store = await opened;
    try {
      return await this.#searchIn(store, wanted);
    } catch (error) {
      if (this.#stopped || (store.isOpen && !isDamage(error))) throw error;
      // Who meets it first begins anew for all.
      if (this.#store === opened) {
        this.#store = undefined;
        store.discard();
      }
      return await this.#searchIn(await this.#open(), wanted);
    }
  }

  #open(): Promise<PathStore> {
    return (this.#store ??= PathStore.open(join(this.#root, PATHS_FILE)));
  }

  async #searchIn(store: PathStore, { channels, channel, words }: Search): Promise<FileSearch> {
    if (this.#stopped) {
      store.close();
      return { hits: [], more: false, read: 0, of: channel.catalogue.packages.size };
    }
    this.#follow(channels, store);
    const records = this.#wanted.get(channel.name)?.records ?? [];
    const isRead = ({ manifest }: PackageRecord): boolean =>
      store.has(manifest.sha256) || this.#absent.has(manifest.sha256);
    if (!records.every(isRead)) {
      this.#reading ??= this.#read(store).finally(() => (this.#reading = undefined));
      await Promise.race([this.#reading, setTimeout(PATIENCE_MS, undefined, { ref: false })]);
    }
    const found = await this.#hits(store, channel.name, words);
    const read = records.filter(isRead).length;
    return { hits: found.slice(0, MOST_HITS), more: found.length > MOST_HITS, read, of: records.length };
  }

  async #hits(store: PathStore, channel: string, words: string): Promise<FileHit[]> {
    const byManifest = this.#wanted.get(channel)?.byManifest ?? new Map<string, PackageRecord>();
    const needle = words.startsWith('/') ? `\n${words.slice(1)}` : words;
    const hits: FileHit[] = [];
    for await (const { manifest, paths } of store.holding(needle)) {
      const record = byManifest.get(manifest);
      if (record === undefined) continue;
      for (const path of linesWith(paths, needle)) {
        hits.push({ path, record });
        if (hits.length > MOST_HITS) break;
      }
      if (hits.length > MOST_HITS) break;
    }
    const whole = words.replace(/^\//, '');
    return hits.sort(
      (a, b) =>
        rankOf(a.path, whole) - rankOf(b.path, whole) ||
        comparePaths(a.path, b.path) ||
        comparePaths(a.record.name, b.record.name),
    );
  }

  #follow(channels: readonly ChannelView[], store: PathStore): void {
    const isKnown = ({ name, index }: ChannelView): boolean => this.#wanted.get(name)?.index === index;
    if (channels.length === this.#wanted.size && channels.every(isKnown)) return;
    this.#wanted.clear();
    this.#absent.clear();
    for (const { name, index, catalogue } of channels) {
      const records = [...catalogue.packages.values()].flatMap(newestOfEach);
      const byManifest = new Map(records.map((record) => [record.manifest.sha256, record]));
      this.#wanted.set(name, { index, records, byManifest });
    }
    const indexes = [...this.#wanted.values()];
    store.keep((manifest) => indexes.some(({ byManifest }) => byManifest.has(manifest)));
  }

  async #read(store: PathStore): Promise<void> {
    for (const { records } of this.#wanted.values()) {
      const missing = records.filter(
        ({ manifest }) => !store.has(manifest.sha256) && !this.#absent.has(manifest.sha256),
      );
      for (let at = 0; at < missing.length; at += BATCH) {
        const batch: PackagePaths[] = [];
        for (const record of missing.slice(at, at + BATCH)) {
          // Other requests come first.
          await setImmediate();
          if (this.#stopped) return;
          const files = await readFiles(this.#root, record);
          if (files === undefined) this.#absent.add(record.manifest.sha256);
          else batch.push({ manifest: record.manifest.sha256, paths: linesOf(files) });
        }
        if (this.#stopped || !store.isOpen || !store.add(batch)) return;
      }
    }
  }
}

interface Search {
  readonly channels: readonly ChannelView[];
  readonly channel: ChannelView;
  readonly words: string;
}

interface Wanted {
  /** Which index of the channel they are from. */
  readonly index: string;
  readonly records: readonly PackageRecord[];
  readonly byManifest: ReadonlyMap<string, PackageRecord>;
}

const linesOf = (files: readonly FileEntry[]): string =>
  `\n${files.flatMap(({ type, path }) => (type === 'directory' ? [] : [`${path}\n`])).join('')}`;

/** The entries of a package; `undefined` where it is not here, or is not what the index pins. */
export async function readFiles(
  root: string,
  { package: file, manifest }: PackageRecord,
): Promise<readonly FileEntry[] | undefined> {
  if (file.headerSize > MAX_HEADER_BYTES) return undefined;
  try {
    const handle = await open(join(root, file.path));
    try {
      const bytes = Buffer.alloc(file.headerSize);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
      const header = readHeader(bytes.subarray(0, bytesRead), file.path);
      return header.manifestSha256 === manifest.sha256 ? header.manifest.files : undefined;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof IcepkgError || isErrno(error, 'ENOENT', 'EACCES', 'ENOTDIR', 'EISDIR'))
      return undefined;
    throw error;
  }
}

/** @param text lines, with a line feed before the first and after each */
function* linesWith(text: string, needle: string): Generator<string> {
  for (let at = text.indexOf(needle); at !== -1;) {
    const start = needle.startsWith('\n') ? at + 1 : text.lastIndexOf('\n', at) + 1;
    const end = text.indexOf('\n', start);
    // Behind the last line feed no line begins.
    if (end === -1) return;
    yield text.slice(start, end);
    at = text.indexOf(needle, end);
  }
}

function rankOf(path: string, words: string): number {
  if (path === words) return 0;
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name === words) return 1;
  return name.startsWith(words) ? 2 : 3;
}

/**
 * Which package has which path: read from the headers of the packages, each compared with what the index pins, in the background
 * and once. Paths of a package are one text, a line each, so looking through all of them is one pass over memory.
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
import type { ChannelView } from './library.ts';

/** Bytes of paths in memory; packages beyond that are not looked through. */
const MOST_BYTES = 192 * 1024 * 1024;
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
  /** By the digest of the manifest. */
  readonly #paths = new Map<string, string>();
  /** Packages that each channel serves, the newest version for each architecture. */
  readonly #wanted = new Map<
    string,
    { readonly index: string; readonly records: readonly PackageRecord[] }
  >();
  #bytes = 0;
  #reading: Promise<void> | undefined;
  #stopped = false;

  constructor(root: string) {
    this.#root = root;
  }

  /** Reads no more packages: with very many, whoever ends the server would wait for all of them. */
  stop(): void {
    this.#stopped = true;
  }

  /** @param words a part of a path; after a slash, the beginning of one */
  async search(channel: ChannelView, words: string): Promise<FileSearch> {
    const records = this.#follow(channel);
    if (records.some((record) => !this.#paths.has(record.manifest.sha256))) {
      this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
      await Promise.race([this.#reading, setTimeout(PATIENCE_MS, undefined, { ref: false })]);
    }
    const needle = words.startsWith('/') ? `\n${words.slice(1)}` : words;
    const hits: FileHit[] = [];
    let read = 0;
    for (const record of records) {
      const paths = this.#paths.get(record.manifest.sha256);
      if (paths === undefined) continue;
      read++;
      for (const path of hits.length > MOST_HITS ? [] : linesWith(paths, needle)) {
        hits.push({ path, record });
        if (hits.length > MOST_HITS) break;
      }
    }
    const whole = words.replace(/^\//, '');
    hits.sort(
      (a, b) =>
        rankOf(a.path, whole) - rankOf(b.path, whole) ||
        comparePaths(a.path, b.path) ||
        comparePaths(a.record.name, b.record.name),
    );
    return { hits: hits.slice(0, MOST_HITS), more: hits.length > MOST_HITS, read, of: records.length };
  }

  #follow({ name, index, catalogue }: ChannelView): readonly PackageRecord[] {
    const known = this.#wanted.get(name);
    if (known?.index === index) return known.records;
    const records = [...catalogue.packages.values()].flatMap(newestOfEach);
    this.#wanted.set(name, { index, records });
    const wanted = new Set([...this.#wanted.values()].flatMap((of) => of.records.map(digestOf)));
    for (const [digest, paths] of this.#paths) {
      if (wanted.has(digest)) continue;
      this.#paths.delete(digest);
      this.#bytes -= paths.length;
    }
    return records;
  }

  async #read(): Promise<void> {
    for (const { records } of this.#wanted.values())
      for (const record of records) {
        if (this.#paths.has(record.manifest.sha256)) continue;
        // Other requests come first.
        await setImmediate();
        if (this.#stopped) return;
        const files = (await readFiles(this.#root, record)) ?? [];
        const paths = files.filter(({ type }) => type !== 'directory').map(({ path }) => path);
        const text = `\n${paths.map((path) => `${path}\n`).join('')}`;
        if (this.#bytes + text.length > MOST_BYTES) return;
        this.#paths.set(record.manifest.sha256, text);
        this.#bytes += text.length;
      }
  }
}

const digestOf = ({ manifest }: PackageRecord): string => manifest.sha256;

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

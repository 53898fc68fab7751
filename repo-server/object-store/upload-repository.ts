/**
 * Brings a repository to an object store: content first, in parallel, then metadata, then the entry of each channel. What
 * clients see changes with the entry alone, which replaces only what was there at the start, so of two publishers one wins.
 */
import * as fs from 'node:fs';
import { createHash } from 'node:crypto';
import { join, relative } from 'node:path';
import { IcepkgError } from '#schema/error';
import { parseMetadata } from '#schema/tuf/metadata';
import { hashFile } from '../hash-file.ts';
import { contentHeaders, isPrivate } from '../http-path.ts';
import { inParallel } from '../in-parallel.ts';
import { channelsOf, metadataFolder } from '../layout.ts';
import { withLock, type LockOptions } from '../lock.ts';
import { withAdvisoryLock, type StillHeld } from './advisory-lock.ts';
import { descendsFrom, noteBrought, publishedElsewhere, type Copies } from './ancestry.ts';
import type { ObjectStore, StoredObject } from './s3.ts';
import { namedMetadata, readStoredEntry, servedPackages } from './stored-metadata.ts';

export interface UploadOptions extends LockOptions {
  /** Files at a time. */
  readonly parallel?: number;
  /** Database whose advisory lock keeps other publishers out, for stores that know no conditional writes. */
  readonly lockDatabase?: string;
}

export interface Uploaded {
  readonly files: number;
  readonly bytes: number;
  /** Channels whose entry changed. */
  readonly channels: readonly string[];
}

/**
 * @throws IcepkgError `root-locked` where somebody else published there meanwhile, `verify-failed` where the store has a
 * newer or another state than this repository came from or another content under the name of a package, `network-failed`, also where the lock was lost meanwhile
 */
export async function uploadRepository(
  repository: string,
  store: ObjectStore,
  options: UploadOptions = {},
): Promise<Uploaded> {
  const { lockDatabase: database } = options;
  const upload = (held?: StillHeld): Promise<Uploaded> =>
    new UploadRun(repository, store, { ...options, held }).run();
  return withLock(
    repository,
    () => {
      if (database === undefined) return upload();
      return withAdvisoryLock({ ...options, database, name: store.addressOf('') }, upload);
    },
    options,
  );
}

interface Entry {
  readonly channel: string;
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Tag of what it replaces. */
  readonly replaces: string;
  /** Digests of the snapshot metadata that the store may serve from now on. */
  readonly snapshots: readonly string[];
}

interface RunOptions {
  readonly parallel?: number;
  readonly held: StillHeld | undefined;
}

class UploadRun {
  readonly #repository: string;
  readonly #store: ObjectStore;
  readonly #parallel: number;
  readonly #held: StillHeld;
  /** Numbered metadata that channels lead to. */
  readonly #named: ReadonlySet<string>;
  /** Packages that the store is known to have as they are here. */
  readonly #served = new Set<string>();
  #files = 0;
  #bytes = 0;

  constructor(repository: string, store: ObjectStore, { parallel = 8, held }: RunOptions) {
    this.#repository = repository;
    this.#store = store;
    this.#parallel = parallel;
    this.#held = held ?? (() => Promise.resolve());
    this.#named = namedMetadata(repository);
  }

  async run(): Promise<Uploaded> {
    const entries: Entry[] = [];
    for (const channel of channelsOf(this.#repository)) {
      const entry = await this.#entryOf(channel);
      if (entry !== undefined) entries.push(entry);
    }
    const there = await this.#store.list();
    const paths = publicFiles(this.#repository).filter((path) => !path.endsWith('/timestamp.json'));
    const isMetadata = (path: string): boolean => path.startsWith('channels/');
    await this.#putAll(
      paths.filter((path) => !isMetadata(path)),
      there,
    );
    await this.#held();
    // One after the other, in the order of their names: so the first that differs decides between two publishers, and none is left
    // with a part of it that keeps the other one out.
    for (const path of paths.filter(isMetadata)) await this.#putFile(path, there.get(path));
    if (entries.length > 0)
      noteBrought(this.#copies, new Map(entries.map(({ channel, snapshots }) => [channel, snapshots])));
    for (const { path, bytes, replaces } of entries) {
      await this.#held();
      await this.#putOnce(path, replaces, bytes);
      this.#files += 1;
      this.#bytes += bytes.length;
    }
    return { files: this.#files, bytes: this.#bytes, channels: entries.map(({ channel }) => channel) };
  }

  /** `undefined` where the store has it already. */
  async #entryOf(channel: string): Promise<Entry | undefined> {
    const path = `${metadataFolder(channel)}/timestamp.json`;
    const file = join(this.#repository, path);
    if (!fs.existsSync(file)) return undefined;
    const bytes = fs.readFileSync(file);
    const { version, meta } = parseMetadata(bytes, 'timestamp', file).signed;
    const own = meta['snapshot.json'].hashes?.['sha256'];
    const stored = await readStoredEntry(this.#store, channel);
    const snapshots = [stored?.snapshot.sha256, own].filter((digest) => digest !== undefined);
    if (stored === undefined) return { channel, path, bytes, replaces: 'none', snapshots };
    if (!descendsFrom(this.#copies, channel, stored)) throw publishedElsewhere(this.#store, channel);
    for (const served of servedPackages(this.#repository, channel, stored)) this.#served.add(served);
    if (stored.text === bytes.toString('utf8')) return undefined;
    if (version > stored.version) return { channel, path, bytes, replaces: stored.etag, snapshots };
    const why = `has version ${stored.version}, and here is version ${version}`;
    throw publishedElsewhere(this.#store, channel, why);
  }

  get #copies(): Copies {
    return { repository: this.#repository, store: this.#store };
  }

  async #putAll(paths: readonly string[], there: ReadonlyMap<string, StoredObject>): Promise<void> {
    await inParallel(paths, this.#parallel, (path) => this.#putFile(path, there.get(path)));
  }

  async #putFile(path: string, stored: StoredObject | undefined): Promise<void> {
    const file = join(this.#repository, path);
    const { size } = fs.statSync(file);
    const headers = contentHeaders(path);
    if (stored !== undefined && headers.immutable && path.startsWith('packages/'))
      return this.#checkSame(path, stored);
    const isNumbered = /^channels\/[^/]+\/metadata\/\d+\./.test(path);
    if (stored?.size === size && ((headers.immutable && !isNumbered) || stored.etag === md5Tag(file))) return;
    // Numbers that were passed over: nobody is led to what is here, and what is there may be somebody's.
    if (stored !== undefined && VERSIONED.test(path) && !this.#named.has(path)) return;
    if (!isNumbered) await this.#store.put(path, { file, size }, headers);
    // Two publishers that count on from the same state name different things alike.
    else await this.#putOnce(path, stored === undefined ? 'none' : 'nothing', fs.readFileSync(file));
    this.#files += 1;
    this.#bytes += size;
  }

  /** A package never gets another content: somebody may be about to serve the one that is there. */
  async #checkSame(path: string, stored: StoredObject): Promise<void> {
    if (this.#served.has(path)) return;
    const file = join(this.#repository, path);
    if (stored.size === fs.statSync(file).size && (await this.#hasSameDigest(path, stored))) return;
    const address = this.#store.addressOf(path);
    throw new IcepkgError(
      'verify-failed',
      `${address}: has another content than here, and nothing served names it`,
      {
        hint: 'Another publisher is at work or was lost: publish the package under another release, or delete that object once nobody is about to serve it',
      },
    );
  }

  /** By the tag where that is an MD5, as it is of what was put in one piece; else by reading it. */
  async #hasSameDigest(path: string, { etag }: StoredObject): Promise<boolean> {
    const file = join(this.#repository, path);
    if (/^"?[0-9a-f]{32}"?$/.test(etag))
      return etag.replaceAll('"', '') === (await digestOf(fs.createReadStream(file), 'md5'));
    const stored = await this.#store.open(path);
    return stored !== undefined && (await digestOf(stored.body, 'sha256')) === hashFile(file).sha256;
  }

  /** @param replaces tag of what may be replaced, `none` where nothing may be there, `nothing` where nothing may be replaced */
  async #putOnce(path: string, replaces: string, bytes: Uint8Array): Promise<void> {
    const options = { ...contentHeaders(path), replaces };
    if (replaces !== 'nothing' && (await this.#store.put(path, { bytes }, options))) return;
    // An attempt whose answer was lost may have been this very one.
    const stored = await this.#store.get(path);
    if (stored?.text !== Buffer.from(bytes).toString('utf8')) throw this.#outrun(path);
  }

  #outrun(path: string): IcepkgError {
    return new IcepkgError(
      'root-locked',
      `${this.#store.addressOf(path)}: another publisher was there first; clients see nothing of this`,
      { hint: 'Publish again once the other one is done: numbers go on from there' },
    );
  }
}

const VERSIONED = /^channels\/[^/]+\/metadata\/\d+\.(?:snapshot|targets)\.json$/;

/** The tag that stores give what was put in one piece. */
const md5Tag = (file: string): string => `"${createHash('md5').update(fs.readFileSync(file)).digest('hex')}"`;

async function digestOf(body: AsyncIterable<Uint8Array>, algorithm: 'md5' | 'sha256'): Promise<string> {
  const hash = createHash(algorithm);
  for await (const piece of body) hash.update(piece);
  return hash.digest('hex');
}

/** Nothing private, and nothing that is a symlink or behind one: that may lead to what is. */
const publicFiles = (repository: string): string[] =>
  fs
    .readdirSync(repository, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(repository, join(parentPath, name)))
    .filter((path) => !isPrivate(path))
    .sort();

/**
 * What a copy takes from the repository that it copies: refreshed as a client does, so that the whole chain is verified,
 * and every byte checked before it is in its place.
 */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { download } from '#engine/client/download';
import { folderTransport } from '#engine/client/folder';
import { httpTransport } from '#engine/client/http';
import { ofChannel } from '#engine/client/load-indexes';
import { withMirrors, type ClientContext } from '#engine/client/mirrors';
import { MAX_COMPRESSED_SHARD } from '#engine/client/shard';
import { getBytes, networkError, type Transport } from '#engine/client/transport';
import type { NetworkConfig } from '#engine/config';
import { openTrustStore, type TrustStore } from '#engine/trust/store';
import { checkMeta, trustInitialRoot, trustNextRoot } from '#engine/trust/trusted-metadata';
import { MAX_BYTES, refreshTrust, type TrustedRepository } from '#engine/trust/updater';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import { parseMetadata, type Root } from '#schema/tuf/metadata';
import { withHint } from './hint.ts';
import { doing, makeFolder, metadataFolder, PRIVATE_FOLDER, readIfAny, writeDurably } from './layout.ts';
import type { OlderSnapshot } from './older-snapshots.ts';
import { shardFileOf, type IndexTargets } from './served.ts';

const ROOT_LIMIT = 512_000;
/** What is being fetched lies there until it is whole. */
export const INCOMING = `${PRIVATE_FOLDER}/incoming`;

const FULL = 'Free some space where the copy is; the next run goes on where this one stopped';

export interface UpstreamOptions {
  readonly transport: Transport;
  readonly network: NetworkConfig;
  /** The trusted root, which the first run needs. */
  readonly trustedRoot?: Uint8Array;
  readonly signal?: AbortSignal;
  /** Called before each file is written, with its path in the copy. */
  readonly onWrite?: (path: string) => void;
}

export interface WantedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** A channel as it was refreshed, with the store that has its metadata. */
export interface RefreshedChannel {
  readonly channel: string;
  readonly store: TrustStore;
  readonly trusted: TrustedRepository;
}

/** @param from an `http://` or `https://` address, or a folder */
export const openTransport = (from: string, network: NetworkConfig): Transport =>
  /^https?:/.test(from) ? httpTransport(from, network) : folderTransport(from);

export class Upstream {
  /** Files that were written, and their bytes. */
  fetched = 0;
  bytes = 0;
  readonly #folder: string;
  readonly #transport: Transport;
  readonly #options: UpstreamOptions;
  readonly #client: ClientContext;

  /** @param folder of the copy */
  constructor(folder: string, options: UpstreamOptions) {
    this.#folder = folder;
    this.#transport = options.transport;
    this.#options = options;
    this.#client = {
      config: { network: options.network },
      offline: false,
      onProgress: () => undefined,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
  }

  /** @throws IcepkgError `trust-…`, `network-failed`, `usage` where there is no trusted root */
  async refresh(channel: string, now: Date = new Date()): Promise<RefreshedChannel> {
    const folder = metadataFolder(channel);
    const store = this.openStore(channel);
    const fetch = (name: string, limit: number) => this.fetchBytes(`${folder}/${name}`, limit);
    const fetcher = { base: this.#transport.addressOf(folder), fetch };
    const trusted = await refreshTrust({ store, now, fetcher, accept: ofChannel(channel) });
    return { channel, store, trusted };
  }

  /** What this copy trusts of a channel. @throws IcepkgError `usage` where there is no trusted root */
  openStore(channel: string): TrustStore {
    const store = openTrustStore(join(this.#folder, PRIVATE_FOLDER, 'trust', channel));
    const anchorFile = join(this.#folder, PRIVATE_FOLDER, 'trusted-root.json');
    const { trustedRoot } = this.#options;
    const before = readIfAny(anchorFile);
    if (trustedRoot !== undefined && (before === undefined || Buffer.compare(before, trustedRoot) !== 0))
      writeDurably(anchorFile, trustedRoot);
    const anchor = trustedRoot ?? before;
    if (anchor === undefined) {
      throw new IcepkgError('usage', 'a mirror needs the trusted root of what it copies', {
        hint: 'Give it with --trust FILE the first time',
      });
    }
    store.anchor(anchor);
    return store;
  }

  /** Unless it is there. @throws IcepkgError `network-failed`, `trust-failed` where it is not what was signed */
  async fetchShard(path: string, target: IndexTargets[string]): Promise<void> {
    const file = shardFileOf(path, target);
    const there = readIfAny(join(this.#folder, file));
    if (there !== undefined && matches(there, target, file)) return;
    const bytes = await this.fetchBytes(file, Math.min(target.length, MAX_COMPRESSED_SHARD));
    if (bytes === undefined) throw missing(this.#transport.addressOf(file));
    checkMeta(bytes, target, this.#transport.addressOf(file));
    this.write(file, bytes);
  }

  /** A targets file that a channel vouches for; it is not written. @throws IcepkgError `network-failed`, `trust-failed` */
  async fetchTargets({ path, meta }: OlderSnapshot): Promise<Uint8Array> {
    const bytes =
      readIfAny(join(this.#folder, path)) ??
      (await this.fetchBytes(path, Math.min(meta.length, MAX_BYTES.targets)));
    if (bytes === undefined) throw missing(this.#transport.addressOf(path));
    checkMeta(bytes, meta, this.#transport.addressOf(path));
    return bytes;
  }

  /**
   * Beside the tree until it is whole; what an interrupted run left there is gone on with.
   * @throws IcepkgError `network-failed`, `package-corrupt`, `disk-full`
   */
  async fetchFile(wanted: WantedFile): Promise<void> {
    const { path, size, sha256: digest } = wanted;
    const file = join(this.#folder, path);
    const aside = join(this.#folder, asideOf(wanted));
    const address = addressIn(path);
    const { signal } = this.#options;
    await withMirrors(this.#client, [this.#transport], path, (mirror) =>
      download(
        mirror,
        { path: address, size, sha256: digest, file: aside },
        signal === undefined ? {} : { signal },
      ).catch((error: unknown) => {
        throw withHint(error, { 'disk-full': FULL });
      }),
    );
    this.#options.onWrite?.(path);
    doing(file, () => {
      makeFolder(dirname(file));
      const fd = fs.openSync(aside, 'r');
      fs.fsyncSync(fd);
      fs.closeSync(fd);
      fs.renameSync(aside, file);
    });
    this.fetched += 1;
    this.bytes += size;
  }

  /** Numbered files first, `timestamp.json` last, all of them the bytes that were verified. */
  async publishMetadata({ channel, store, trusted }: RefreshedChannel): Promise<void> {
    const folder = metadataFolder(channel);
    await this.#copyRoots(folder, trusted.root);
    for (const role of ['targets', 'snapshot'] as const) {
      const bytes = trustedBytes(store, role);
      const { version } = parseMetadata(bytes, role, role).signed;
      this.write(`${folder}/${version}.${role}.json`, bytes);
    }
    this.write(`${folder}/root.json`, trustedBytes(store, 'root'));
    this.write(`${folder}/timestamp.json`, trustedBytes(store, 'timestamp'));
  }

  /** Every root from the first on, each verified by the one before, for clients that start there. */
  async #copyRoots(folder: string, newest: Root): Promise<void> {
    let before: Root | undefined;
    for (let version = 1; version <= newest.version; version++) {
      const path = `${folder}/${version}.root.json`;
      const bytes = readIfAny(join(this.#folder, path)) ?? (await this.fetchBytes(path, ROOT_LIMIT));
      if (bytes === undefined) throw missing(this.#transport.addressOf(path));
      before = (before === undefined ? trustInitialRoot(bytes, path) : trustNextRoot(before, bytes, path))
        .signed;
      this.write(path, bytes);
    }
  }

  /**
   * A small file as it is, which nobody checked; `undefined` where upstream has none.
   * @param path as it stands in a URL
   */
  fetchBytes(path: string, limit: number): Promise<Uint8Array | undefined> {
    return withMirrors(this.#client, [this.#transport], path, (mirror) =>
      getBytes(mirror, path, limit, this.#options.signal),
    );
  }

  /** Unless the same is there. */
  write(path: string, bytes: Uint8Array): void {
    const file = join(this.#folder, path);
    const there = readIfAny(file);
    if (there !== undefined && Buffer.compare(there, bytes) === 0) return;
    this.#options.onWrite?.(path);
    writeDurably(file, bytes);
    this.fetched += 1;
    this.bytes += bytes.length;
  }
}

/** Of its own for each path, so that no two downloads ever write into one file. */
const asideOf = ({ path, sha256: digest }: Pick<WantedFile, 'path' | 'sha256'>): string =>
  `${INCOMING}/${digest}-${sha256(Buffer.from(path)).slice(0, 16)}`;

/** Where `fetchFile` leaves what it has of a file when it fails, in the copy. */
export const partOf = (file: WantedFile): string => `${asideOf(file)}.part`;

function trustedBytes(store: TrustStore, role: string): Uint8Array {
  const bytes = store.read(role);
  if (bytes !== undefined) return bytes;
  throw new Error(`nothing is trusted as ${role} after a refresh`);
}

export const expiryOf = (store: TrustStore): string =>
  parseMetadata(trustedBytes(store, 'timestamp'), 'timestamp', 'timestamp').signed.expires;

function matches(bytes: Uint8Array, target: IndexTargets[string], what: string): boolean {
  try {
    checkMeta(bytes, target, what);
    return true;
  } catch (error) {
    if (error instanceof IcepkgError) return false;
    throw error;
  }
}

/** Whoever signs an index says what is in packages/, and nothing about the rest of the copy. */
export function checkPlace(path: string): void {
  if (/^packages\/(?:[^./][^/]*\/)*[^./][^/]*$/.test(path)) return;
  throw new IcepkgError(
    'path-unsafe',
    `${JSON.stringify(path)}: a package of the index is not below packages/`,
    {
      hint: 'Nothing was published: tell the operator of the repository',
    },
  );
}

/** A path as it stands in a URL. */
export const addressIn = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

const missing = (address: string): IcepkgError => networkError(`${address}: not found`);

/**
 * Mirrors a repository: refreshes as a client does, so that the whole chain is verified, then copies content first and
 * the entry of the channel last. Whatever happens in between, what the mirror served before it serves on.
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
import { openTrustStore, type TrustStore } from '#engine/trust/store';
import { checkMeta, trustInitialRoot, trustNextRoot } from '#engine/trust/trusted-metadata';
import { refreshTrust } from '#engine/trust/updater';
import { IcepkgError } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { parseMetadata, type Root } from '#schema/tuf/metadata';
import { DEFAULT_EXPIRY_DAYS, writeRepositoryConfig } from './config.ts';
import {
  CONFIG_FILE,
  doing,
  makeFolder,
  metadataFolder,
  PRIVATE_FOLDER,
  readIfAny,
  syncFolder,
  writeDurably,
} from './layout.ts';
import { withLock, type LockOptions } from './lock.ts';
import {
  mirroredPackages,
  mirroredShards,
  writeMirrorSettings,
  type MirrorSettings,
} from './mirror-settings.ts';
import { filesOf, recordsNamedBy, shardFileOf, type IndexTargets } from './served.ts';

const ROOT_LIMIT = 512_000;
const NETWORK = {
  parallel: 4,
  attempts: 4,
  timeout: 30,
  minimumRate: 1000,
  maxAge: 0,
  patches: false,
} as const;

export interface MirrorOptions extends LockOptions {
  readonly settings: MirrorSettings;
  /** The trusted root, which the first run needs. */
  readonly trustedRoot?: Uint8Array;
  /** What the mirror is called by `icepkg repo serve` and in reports. */
  readonly name?: string;
  /** Files at a time. */
  readonly parallel?: number;
  readonly now?: Date;
  readonly signal?: AbortSignal;
  /** Instead of what `settings.from` names. */
  readonly transport?: Transport;
  /** Called before each file is written, with its path in the mirror. */
  readonly onWrite?: (path: string) => void;
}

export interface Mirrored {
  readonly channels: readonly {
    readonly channel: string;
    readonly packages: number;
    readonly expires: string;
  }[];
  /** Files that were fetched; what was there already is not fetched again. */
  readonly fetched: number;
  readonly bytes: number;
}

/** @throws IcepkgError `trust-…`, `network-failed`, `package-corrupt`, `disk-full`, `root-locked` */
export async function mirrorRepository(folder: string, options: MirrorOptions): Promise<Mirrored> {
  const { settings } = options;
  for (const channel of settings.channels) metadataFolder(channel);
  doing(folder, () => makeFolder(folder));
  return withLock(
    folder,
    async () => {
      const transport = options.transport ?? openTransport(settings.from);
      try {
        const run = new Run(folder, transport, options);
        const channels = [];
        for (const channel of settings.channels) channels.push(await run.copyChannel(channel));
        keepSettings(folder, options);
        return { channels, fetched: run.fetched, bytes: run.bytes };
      } finally {
        transport.close();
      }
    },
    options,
  );
}

const openTransport = (from: string): Transport =>
  /^https?:/.test(from) ? httpTransport(from, NETWORK) : folderTransport(from);

function keepSettings(folder: string, { settings, name = 'main' }: MirrorOptions): void {
  writeMirrorSettings(folder, settings);
  if (!fs.existsSync(join(folder, CONFIG_FILE)))
    writeRepositoryConfig(folder, { format: 1, name, expiryDays: DEFAULT_EXPIRY_DAYS });
}

interface WantedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

class Run {
  fetched = 0;
  bytes = 0;
  readonly #folder: string;
  readonly #transport: Transport;
  readonly #options: MirrorOptions;
  readonly #client: ClientContext;

  constructor(folder: string, transport: Transport, options: MirrorOptions) {
    this.#folder = folder;
    this.#transport = transport;
    this.#options = options;
    this.#client = {
      config: { network: NETWORK },
      offline: false,
      onProgress: () => undefined,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
  }

  async copyChannel(channel: string): Promise<Mirrored['channels'][number]> {
    const { settings, now = new Date() } = this.#options;
    const folder = metadataFolder(channel);
    const store = this.#openStore(channel);
    const fetch = (name: string, limit: number) => this.#fetchMetadata(`${folder}/${name}`, limit);
    const fetcher = { base: this.#transport.addressOf(folder), fetch };
    const trusted = await refreshTrust({ store, now, fetcher, accept: ofChannel(channel) });
    const shards = mirroredShards(trusted.targets.targets, settings);
    await this.#fetchShards(shards);
    const records = [...recordsNamedBy(this.#folder, shards).values()];
    const packages = mirroredPackages(records, settings);
    await this.#fetchFiles(packages);
    await this.#publishMetadata(channel, store, trusted.root);
    return { channel, packages: packages.length, expires: expiryOf(store) };
  }

  #openStore(channel: string): TrustStore {
    const store = openTrustStore(join(this.#folder, PRIVATE_FOLDER, 'trust', channel));
    const anchorFile = join(this.#folder, PRIVATE_FOLDER, 'trusted-root.json');
    const { trustedRoot } = this.#options;
    if (trustedRoot !== undefined) writeDurably(anchorFile, trustedRoot);
    const anchor = trustedRoot ?? readIfAny(anchorFile);
    if (anchor === undefined) {
      throw new IcepkgError('usage', 'a mirror needs the trusted root of what it copies', {
        hint: 'Give it with --trust FILE the first time',
      });
    }
    store.anchor(anchor);
    return store;
  }

  #fetchMetadata(path: string, limit: number): Promise<Uint8Array | undefined> {
    return withMirrors(this.#client, [this.#transport], path, (mirror) =>
      getBytes(mirror, path, limit, this.#options.signal),
    );
  }

  async #fetchShards(shards: IndexTargets): Promise<void> {
    await this.#inParallel(Object.entries(shards), async ([path, target]) => {
      const file = shardFileOf(path, target);
      const there = readIfAny(join(this.#folder, file));
      if (there !== undefined && matches(there, target, file)) return;
      const bytes = await this.#fetchMetadata(file, Math.min(target.length, MAX_COMPRESSED_SHARD));
      if (bytes === undefined) throw missing(this.#transport.addressOf(file));
      checkMeta(bytes, target, this.#transport.addressOf(file));
      this.#write(file, bytes);
    });
  }

  async #fetchFiles(packages: readonly PackageRecord[]): Promise<void> {
    const wanted = packages.flatMap((record) => filesOf(record));
    for (const { path } of wanted) checkPlace(path);
    const folders = new Set<string>();
    await this.#inParallel(wanted, async (of) => {
      const file = join(this.#folder, of.path);
      // A file appears only whole and with its digest, so its size tells that it is there.
      if (fs.statSync(file, { throwIfNoEntry: false })?.size === of.size) return;
      await this.#fetchFile(of, file);
      folders.add(dirname(file));
    });
    for (const folder of folders) syncFolder(folder);
  }

  /** Beside the tree until it is whole; what an interrupted run left there is gone on with. */
  async #fetchFile({ path, size, sha256 }: WantedFile, file: string): Promise<void> {
    const aside = join(this.#folder, PRIVATE_FOLDER, 'incoming', sha256);
    const address = path.split('/').map(encodeURIComponent).join('/');
    const { signal } = this.#options;
    await withMirrors(this.#client, [this.#transport], path, (mirror) =>
      download(mirror, { path: address, size, sha256, file: aside }, signal === undefined ? {} : { signal }),
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

  /** The first failure ends the others: nothing that is missing may be named. */
  async #inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const { parallel = NETWORK.parallel } = this.#options;
    let next = 0;
    let failure: { readonly error: unknown } | undefined;
    const worker = async (): Promise<void> => {
      for (let item = items[next++]; item !== undefined && failure === undefined; item = items[next++]) {
        try {
          await work(item);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    if (failure !== undefined) throw failure.error;
  }

  /** Numbered files first, `timestamp.json` last, all of them the bytes that were verified. */
  async #publishMetadata(channel: string, store: TrustStore, root: Root): Promise<void> {
    const folder = metadataFolder(channel);
    await this.#copyRoots(folder, root);
    for (const role of ['targets', 'snapshot'] as const) {
      const bytes = trustedBytes(store, role);
      const { version } = parseMetadata(bytes, role, role).signed;
      this.#write(`${folder}/${version}.${role}.json`, bytes);
    }
    this.#write(`${folder}/root.json`, trustedBytes(store, 'root'));
    this.#write(`${folder}/timestamp.json`, trustedBytes(store, 'timestamp'));
  }

  /** Every root from the first on, each verified by the one before, for clients that start there. */
  async #copyRoots(folder: string, newest: Root): Promise<void> {
    let before: Root | undefined;
    for (let version = 1; version <= newest.version; version++) {
      const path = `${folder}/${version}.root.json`;
      const bytes = readIfAny(join(this.#folder, path)) ?? (await this.#fetchMetadata(path, ROOT_LIMIT));
      if (bytes === undefined) throw missing(this.#transport.addressOf(path));
      before = (before === undefined ? trustInitialRoot(bytes, path) : trustNextRoot(before, bytes, path))
        .signed;
      this.#write(path, bytes);
    }
  }

  #write(path: string, bytes: Uint8Array): void {
    const file = join(this.#folder, path);
    const there = readIfAny(file);
    if (there !== undefined && Buffer.compare(there, bytes) === 0) return;
    this.#options.onWrite?.(path);
    writeDurably(file, bytes);
    this.fetched += 1;
    this.bytes += bytes.length;
  }
}

function trustedBytes(store: TrustStore, role: string): Uint8Array {
  const bytes = store.read(role);
  if (bytes !== undefined) return bytes;
  throw new Error(`nothing is trusted as ${role} after a refresh`);
}

const expiryOf = (store: TrustStore): string =>
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

/** Whoever signs an index says what is in packages/, and nothing about the rest of the mirror. */
function checkPlace(path: string): void {
  if (/^packages\/(?:[^./][^/]*\/)*[^./][^/]*$/.test(path)) return;
  throw new IcepkgError(
    'path-unsafe',
    `${JSON.stringify(path)}: a package of the index is not below packages/`,
    {
      hint: 'Nothing was published: tell the operator of the repository',
    },
  );
}

const missing = (address: string): IcepkgError => networkError(`${address}: not found`);

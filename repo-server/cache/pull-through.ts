/**
 * A cache before another repository: what somebody asks for is fetched once, verified whole, kept and served. It serves
 * what the signed index of its upstream names and nothing else, and its last verified state where upstream is gone or lies.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import { patchedPackage, patchListPath } from '#schema/patch/format';
import type { TargetFile } from '#schema/tuf/metadata';
import { DEFAULT_EXPIRY_DAYS, writeRepositoryConfig } from '../config.ts';
import { CONFIG_FILE, doing, makeFolder, metadataFolder } from '../layout.ts';
import { limitRate } from '../limit-rate.ts';
import { MIRROR_NETWORK } from '../mirror.ts';
import { shardFileOf } from '../served.ts';
import { INCOMING, openTransport, partOf, Upstream } from '../upstream.ts';
import { ChannelView, checkedPlace, type RefreshOutcome, type WithShards } from './channel-view.ts';
import { findPatch } from './find-patch.ts';
import { RecentFiles, type Coming } from './recent-files.ts';

export interface CacheOptions {
  /** Address or folder of what is cached. */
  readonly from: string;
  /** The trusted root, which the first run needs. */
  readonly trustedRoot?: Uint8Array;
  readonly channels: readonly string[];
  /** Bytes of packages and shards that are kept. */
  readonly size: number;
  /** Bytes a second from upstream; no bound without. */
  readonly limitRate?: number;
  readonly name?: string;
  /** For so long upstream is not asked again whether there is something new. */
  readonly maxAgeMs?: number;
  readonly now?: () => number;
}

export interface CacheEvents {
  readonly count: (name: string, labels: Readonly<Record<string, string>>, by?: number) => void;
  readonly onError: (error: unknown) => void;
}

/** Somebody waits for the answer, and asks again if there is none. */
const NETWORK = { ...MIRROR_NETWORK, attempts: 2, timeout: 15 };
const MAX_AGE_MS = 30_000;
/** Who asks for metadata waits so long for upstream; then the last verified state is served. */
const PATIENCE_MS = 5000;
const METADATA = /^channels\/([^/]+)\/metadata\/[^/]+$/;

/** Why there is no answer from what is kept: upstream has it and does not give it, or not as it was signed. */
export type Unavailable = 502 | 503;

/** Whether the file is kept for the answer, not in the hands of this cache, or metadata that clients would refuse. */
type Provided = 'held' | 'elsewhere' | 'stale';

/** Makes the folder of a cache a repository that can be served. */
export function prepareCache(folder: string, { name = 'main' }: CacheOptions): void {
  doing(folder, () => makeFolder(folder));
  // Half of a file, of a run that ended: nobody knows whether it is ever wanted again.
  rmSync(join(folder, INCOMING), { recursive: true, force: true });
  if (!existsSync(join(folder, CONFIG_FILE)))
    writeRepositoryConfig(folder, { format: 1, name, expiryDays: DEFAULT_EXPIRY_DAYS });
}

export class PullThrough {
  readonly #root: string;
  readonly #options: CacheOptions;
  readonly #events: CacheEvents;
  readonly #upstream: Upstream;
  readonly #views: ReadonlyMap<string, ChannelView>;
  readonly #files: RecentFiles;
  readonly #stop = new AbortController();
  readonly #fetching = new Map<string, Promise<void>>();

  /** @throws IcepkgError `usage` where there is no trusted root, `trust-failed` where it is none */
  constructor(root: string, options: CacheOptions, events: CacheEvents) {
    this.#root = root;
    this.#options = options;
    this.#events = events;
    const { limitRate: rate, trustedRoot } = options;
    const minimumRate =
      rate === undefined ? NETWORK.minimumRate : Math.min(NETWORK.minimumRate, Math.floor(rate / 16));
    const network = { ...NETWORK, minimumRate };
    const transport = openTransport(options.from, network);
    this.#upstream = new Upstream(root, {
      transport: rate === undefined ? transport : limitRate(transport, rate),
      network,
      signal: this.#stop.signal,
      ...(trustedRoot === undefined ? {} : { trustedRoot }),
    });
    this.#stop.signal.addEventListener('abort', () => transport.close());
    this.#files = new RecentFiles(root, options.size, (bytes) => {
      events.count('icepkg_cache_evicted_files_total', {});
      events.count('icepkg_cache_evicted_bytes_total', {}, bytes);
    });
    this.#views = new Map(options.channels.map((channel) => [channel, this.#view(root, channel)]));
  }

  /** Bytes of packages and shards that are kept now. */
  get bytes(): number {
    return this.#files.bytes;
  }

  /** Refreshes all channels, so that there is something to serve where upstream can be reached. */
  async start(): Promise<void> {
    await Promise.all([...this.#views.values()].map((view) => this.#patiently(view)));
  }

  /** What is being fetched is given up. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#fetching.values());
    await Promise.allSettled([...this.#views.values()].map((view) => view.settle()));
  }

  /**
   * Brings what a request names into the folder of the cache, and keeps it there while `send` runs, which is told where
   * that cannot be done. What no index names is simply not there.
   * @param path decoded, in the repository
   */
  async during(path: string, send: (why?: Unavailable) => Promise<void>): Promise<void> {
    let provided: Provided;
    try {
      provided = await this.#provide(path);
    } catch (error) {
      if (!(error instanceof IcepkgError)) throw error;
      if (this.#stop.signal.aborted) return send(503);
      this.#events.count('icepkg_cache_requests_total', { outcome: 'failed' });
      this.#events.onError(error);
      return send(error.code === 'network-failed' || error.code === 'disk-full' ? 503 : 502);
    }
    try {
      await send(provided === 'stale' ? 503 : undefined);
    } finally {
      if (provided === 'held') this.#files.release(path);
    }
  }

  async #provide(path: string): Promise<Provided> {
    const channel = METADATA.exec(path)?.[1];
    if (channel !== undefined) {
      const view = this.#views.get(channel);
      if (view === undefined) return 'elsewhere';
      await this.#patiently(view);
      return view.isGood() ? 'elsewhere' : 'stale';
    }
    if (!/^(?:targets|packages)\//.test(path)) return 'elsewhere';
    if (this.#files.hold(path, this.#now())) {
      this.#events.count('icepkg_cache_requests_total', { outcome: 'hit' });
      return 'held';
    }
    const fetch = (await this.#find(path)) ?? (await this.#findAnew(path));
    if (fetch === undefined) return 'elsewhere';
    await fetch();
    this.#events.count('icepkg_cache_requests_total', { outcome: 'miss' });
    return this.#files.hold(path, this.#now()) ? 'held' : 'elsewhere';
  }

  /** How to fetch what one of the channels names. */
  async #find(path: string): Promise<(() => Promise<void>) | undefined> {
    for (const view of this.#views.values()) {
      const shard = view.shard(path);
      if (shard !== undefined) return () => this.#fetchShard(...shard);
      if (!path.startsWith('packages/')) continue;
      const file = await view.file(path, this.#withShards);
      if (file === undefined) continue;
      const { size } = checkedPlace(file);
      const fetch = (): Promise<void> => this.#upstream.fetchFile(file);
      return () => this.#once(path, { size, part: partOf(file), fetch });
    }
    return this.#findPatch(path);
  }

  /** Only to a package that is not here: who has that near at hand needs no answer from upstream first. */
  async #findPatch(path: string): Promise<(() => Promise<void>) | undefined> {
    const packagePath = patchedPackage(path);
    if (packagePath === undefined || existsSync(join(this.#root, packagePath))) return undefined;
    for (const view of this.#views.values()) {
      const of = await view.file(packagePath, this.#withShards);
      if (of === undefined) continue;
      const place = { root: this.#root, upstream: this.#upstream };
      await this.#provideList(path, packagePath);
      const found = findPatch(place, path, checkedPlace(of));
      return found && (() => this.#once(path, found));
    }
    return undefined;
  }

  /** The list that names a patch comes first, and once, however many patches are asked for that it does not name. */
  async #provideList(path: string, packagePath: string): Promise<void> {
    const listPath = patchListPath(packagePath);
    if (path === listPath || existsSync(join(this.#root, listPath))) return;
    if ((await this.#provide(listPath)) === 'held') this.#files.release(listPath);
  }

  /** It may have been published since upstream was last asked. */
  async #findAnew(path: string): Promise<(() => Promise<void>) | undefined> {
    for (const view of this.#views.values()) await this.#patiently(view);
    return this.#find(path);
  }

  async #fetchShard(path: string, target: TargetFile): Promise<void> {
    const file = shardFileOf(path, target);
    const fetch = (): Promise<void> => this.#upstream.fetchShard(path, target);
    await this.#once(file, { size: target.length, fetch });
  }

  readonly #withShards: WithShards = async (shards, read) => {
    const held: string[] = [];
    try {
      for (const [path, target] of shards) {
        const file = shardFileOf(path, target);
        if (!this.#files.hold(file, this.#now())) {
          await this.#fetchShard(path, target);
          if (!this.#files.hold(file, this.#now())) continue;
        }
        held.push(file);
      }
      read();
    } finally {
      for (const file of held) this.#files.release(file);
    }
  };

  /** However many ask for it. Who asked may be gone when it comes; the next one finds it. */
  #once(path: string, coming: Coming): Promise<void> {
    const running = this.#fetching.get(path);
    if (running !== undefined) return running;
    const run = this.#files
      .making(coming)
      .then(() => this.#events.count('icepkg_cache_upstream_bytes_total', {}, this.#sizeOf(path)))
      .finally(() => this.#fetching.delete(path));
    this.#fetching.set(path, run);
    return run;
  }

  #sizeOf(path: string): number {
    return statSync(join(this.#root, path), { throwIfNoEntry: false })?.size ?? 0;
  }

  async #patiently(view: ChannelView): Promise<void> {
    const refreshed = view.refresh();
    if (!view.isGood()) return refreshed;
    const enough = new AbortController();
    await Promise.race([
      refreshed.finally(() => enough.abort()),
      sleep(PATIENCE_MS, undefined, { signal: enough.signal }).catch(() => undefined),
    ]);
  }

  #view(root: string, channel: string): ChannelView {
    metadataFolder(channel);
    const { maxAgeMs = MAX_AGE_MS } = this.#options;
    return new ChannelView({
      root,
      channel,
      upstream: this.#upstream,
      now: this.#now,
      maxAgeMs,
      onRefresh: (outcome: RefreshOutcome, error?: unknown) => {
        this.#events.count('icepkg_cache_refreshes_total', { channel, outcome });
        if (error !== undefined && !this.#stop.signal.aborted) this.#events.onError(error);
      },
    });
  }

  readonly #now = (): number => (this.#options.now ?? Date.now)();
}

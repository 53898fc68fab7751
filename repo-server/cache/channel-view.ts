/** A channel as a cache knows it: verified metadata, refreshed when it is asked for, and what its index names. */
import { loadTrust } from '#engine/trust/load-trust';
import type { TrustedRepository } from '#engine/trust/updater';
import { IcepkgError } from '#schema/error';
import type { TargetFile } from '#schema/tuf/metadata';
import { withLock } from '../lock.ts';
import { filesOf, recordsNamedBy, shardFileOf, type IndexTargets } from '../served.ts';
import { checkPlace, type Upstream, type WantedFile } from '../upstream.ts';

export type RefreshOutcome = 'refreshed' | 'unreachable' | 'refused';

export interface ViewOptions {
  readonly root: string;
  readonly channel: string;
  readonly upstream: Upstream;
  readonly now: () => number;
  /** For so long after it was asked, upstream is not asked again. */
  readonly maxAgeMs: number;
  readonly onRefresh: (outcome: RefreshOutcome, error?: unknown) => void;
}

export type WithShards = (
  shards: readonly (readonly [path: string, target: TargetFile])[],
  read: () => void,
) => Promise<void>;

/** After a failure upstream is left alone for so long, and who asks is answered at once. */
const PAUSE_MS = 10_000;
/** For the lock of the folder. */
const WAIT_SECONDS = 30;

export class ChannelView {
  readonly #options: ViewOptions;
  #trusted: TrustedRepository | undefined;
  #running: Promise<void> | undefined;
  #askAgainAt = 0;
  /** Of the targets that they were read from, by machine. */
  #packages = new Map<string, { readonly of: string; readonly files: ReadonlyMap<string, WantedFile> }>();

  constructor(options: ViewOptions) {
    this.#options = options;
    this.#trusted = this.#load();
  }

  /** Asks upstream unless that was done a moment ago; one question at a time, whatever becomes of it is reported. */
  async refresh(): Promise<void> {
    if (this.#options.now() < this.#askAgainAt) return;
    this.#running ??= this.#ask().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** What is under way, so that nobody writes after it. */
  async settle(): Promise<void> {
    await this.#running;
  }

  /** True where there is a verified state that clients still accept. */
  isGood(): boolean {
    return this.#load() !== undefined;
  }

  /** A shard of the index by its path in the repository. */
  shard(file: string): readonly [path: string, target: TargetFile] | undefined {
    return Object.entries(this.#targets()).find(([path, target]) => shardFileOf(path, target) === file);
  }

  /**
   * What the index says of a package or what lies beside it.
   * @param withShards calls `read` while all of these are there
   */
  async file(path: string, withShards: WithShards): Promise<WantedFile | undefined> {
    const machine = path.split('/')[1] ?? '';
    const all = Object.entries(this.#targets());
    const named = machine === 'noarch' ? all : all.filter(([of]) => of.startsWith(`index/${machine}/`));
    // Who asks makes up machines at will: only those of the index are remembered.
    if (named.length === 0) return undefined;
    const of = named.map(([shard, target]) => shardFileOf(shard, target)).join('\n');
    const known = this.#packages.get(machine);
    if (known?.of === of) return known.files.get(path);
    const files = new Map<string, WantedFile>();
    await withShards(named, () => {
      const records = recordsNamedBy(this.#options.root, Object.fromEntries(named));
      for (const record of records.values()) for (const file of filesOf(record)) files.set(file.path, file);
    });
    this.#packages.set(machine, { of, files });
    return files.get(path);
  }

  #targets(): IndexTargets {
    return this.#trusted?.targets.targets ?? {};
  }

  #load(): TrustedRepository | undefined {
    const { upstream, channel, now } = this.#options;
    try {
      return loadTrust(upstream.openStore(channel), new Date(now()));
    } catch (error) {
      if (error instanceof IcepkgError && error.code !== 'usage') return undefined;
      throw error;
    }
  }

  async #ask(): Promise<void> {
    const { root, channel, upstream, now, maxAgeMs, onRefresh } = this.#options;
    try {
      const refreshed = await upstream.refresh(channel, new Date(now()));
      await withLock(root, () => upstream.publishMetadata(refreshed), { waitSeconds: WAIT_SECONDS });
      this.#trusted = refreshed.trusted;
      this.#askAgainAt = now() + maxAgeMs;
      onRefresh('refreshed');
    } catch (error) {
      this.#askAgainAt = now() + Math.min(PAUSE_MS, maxAgeMs);
      if (!(error instanceof IcepkgError)) throw error;
      onRefresh(error.code === 'network-failed' ? 'unreachable' : 'refused', error);
    }
  }
}

/** @throws IcepkgError `path-unsafe` where the index names what is not below `packages/` */
export function checkedPlace(file: WantedFile): WantedFile {
  checkPlace(file.path);
  return file;
}

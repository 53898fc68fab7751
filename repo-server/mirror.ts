/**
 * Mirrors a repository: refreshes as a client does, so that the whole chain is verified, then copies content first and
 * the entry of the channel last. Whatever happens in between, what the mirror served before it serves on.
 */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { Transport } from '#engine/client/transport';
import type { NetworkConfig } from '#engine/config';
import { canonicalJson } from '#schema/canonical-json';
import { IcepkgError } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { LEAST_PATCHED_SIZE, MAX_PATCH_LIST_BYTES, patchListPath } from '#schema/patch/format';
import { parseMetadata, type Targets } from '#schema/tuf/metadata';
import { DEFAULT_EXPIRY_DAYS, writeRepositoryConfig } from './config.ts';
import { CONFIG_FILE, doing, makeFolder, metadataFolder, syncFolder } from './layout.ts';
import { withHint, type Hints } from './hint.ts';
import { inParallel } from './in-parallel.ts';
import { limitRate } from './limit-rate.ts';
import { withLock, type LockOptions } from './lock.ts';
import {
  mirroredPackages,
  mirroredShards,
  writeMirrorSettings,
  type MirrorSettings,
} from './mirror-settings.ts';
import { MirroredFiles } from './mirrored-files.ts';
import { olderSnapshots, type OlderSnapshot } from './older-snapshots.ts';
import { decodePatchList, patchesIn } from './patches/patch-files.ts';
import { filesOf, readForeignShard, recordsNamedBy, type IndexTargets } from './served.ts';
import { addressIn, checkPlace, expiryOf, openTransport, Upstream } from './upstream.ts';

const HINTS: Hints = {
  'network-failed':
    'Check the connection, the address and the channel, then type it again: it goes on where it stopped. The copy serves what it served before',
  'package-corrupt':
    'What it is copied from is damaged or half copied: try again later, or tell its operator. The copy serves what it served before',
  'trust-rollback':
    'What it is copied from went back behind what this copy has: try again later, or tell its operator. The copy serves what it served before',
};

/** What ends a run, whatever it was at. */
const ENDING: ReadonlySet<string> = new Set(['cancelled', 'disk-full', 'io-failed', 'path-unsafe']);

/** How whoever copies repositories asks them. */
export const MIRROR_NETWORK = {
  parallel: 4,
  attempts: 4,
  timeout: 30,
  minimumRate: 1000,
  maxAge: 0,
  patches: false,
} as const satisfies NetworkConfig;

export interface MirrorOptions extends LockOptions {
  readonly settings: MirrorSettings;
  /** The trusted root, which the first run needs. */
  readonly trustedRoot?: Uint8Array;
  /** What the mirror is called by `icepkg repo serve` and in reports. */
  readonly name?: string;
  /** Files at a time. */
  readonly parallel?: number;
  /** Bytes a second, of all files together; no bound without. */
  readonly limitRate?: number;
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
    /** Numbers of the older snapshots that are here, newest first. */
    readonly snapshots: readonly number[];
    /** Each says which older snapshot is not here, and why. */
    readonly problems: readonly string[];
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
      const transport = openOrigin(options);
      try {
        const upstream = new Upstream(folder, { ...options, transport, network: MIRROR_NETWORK });
        const run = new Run(folder, upstream, options);
        const served: ServedNow[] = [];
        for (const channel of settings.channels) served.push(await run.copyChannel(channel));
        const channels = [];
        // After all that is served now, which they never replace anything of.
        for (const of of served) channels.push(await run.withOlder(of));
        keepSettings(folder, options);
        return { channels, fetched: upstream.fetched, bytes: upstream.bytes };
      } catch (error) {
        throw withHint(error, HINTS);
      } finally {
        transport.close();
      }
    },
    options,
  );
}

function openOrigin({
  transport,
  settings,
  limitRate: rate,
  parallel = MIRROR_NETWORK.parallel,
}: MirrorOptions): Transport {
  if (rate === undefined) return transport ?? openTransport(settings.from, MIRROR_NETWORK);
  // What is held back here must not pass for a server that is slow.
  const minimumRate = Math.min(MIRROR_NETWORK.minimumRate, Math.floor(rate / parallel / 4));
  return limitRate(transport ?? openTransport(settings.from, { ...MIRROR_NETWORK, minimumRate }), rate);
}

function keepSettings(folder: string, { settings, name = 'main' }: MirrorOptions): void {
  writeMirrorSettings(folder, settings);
  if (!fs.existsSync(join(folder, CONFIG_FILE)))
    writeRepositoryConfig(folder, { format: 1, name, expiryDays: DEFAULT_EXPIRY_DAYS });
}

type MirroredChannel = Mirrored['channels'][number];

interface ServedNow {
  readonly channel: Pick<MirroredChannel, 'channel' | 'packages' | 'expires'>;
  readonly targets: Targets;
}

class Run {
  readonly #folder: string;
  readonly #upstream: Upstream;
  readonly #options: MirrorOptions;
  readonly #files: MirroredFiles;

  constructor(folder: string, upstream: Upstream, options: MirrorOptions) {
    this.#folder = folder;
    this.#upstream = upstream;
    this.#options = options;
    this.#files = new MirroredFiles(folder);
  }

  async copyChannel(channel: string): Promise<ServedNow> {
    const { now = new Date() } = this.#options;
    const refreshed = await this.#upstream.refresh(channel, now);
    const { targets } = refreshed.trusted;
    const packages = await this.#fetchIndex(targets.targets);
    this.#files.claim(packages.flatMap(filesOf));
    await this.#fetchPatches(packages);
    await this.#fetchFiles(packages);
    await this.#upstream.publishMetadata(refreshed);
    const expires = expiryOf(refreshed.store);
    return { channel: { channel, packages: packages.length, expires }, targets };
  }

  /** The shards. @returns the packages of them that are wanted */
  async #fetchIndex(targets: IndexTargets): Promise<readonly PackageRecord[]> {
    const { settings } = this.#options;
    const shards = mirroredShards(targets, settings);
    await this.#fetchShards(shards);
    const records = [...recordsNamedBy(this.#folder, shards, readForeignShard).values()];
    const packages = mirroredPackages(records, settings);
    for (const record of packages) for (const { path } of filesOf(record)) checkPlace(path);
    return packages;
  }

  /** What upstream has given up of them, or got wrong, is no reason to go without what is served now. */
  async withOlder({ channel, targets }: ServedNow): Promise<MirroredChannel> {
    const [snapshots, problems]: [number[], string[]] = [[], []];
    const { snapshots: count = 0 } = this.#options.settings;
    for (const older of olderSnapshots(channel.channel, targets, count)) {
      try {
        await this.#copySnapshot(older);
        snapshots.push(older.number);
      } catch (error) {
        if (!(error instanceof IcepkgError) || ENDING.has(error.code)) throw error;
        problems.push(`snapshot ${older.number} of ${channel.channel} is not here: ${error.message}`);
      }
    }
    return { ...channel, snapshots, problems };
  }

  /** Its targets file last: where that is, all is that it names. */
  async #copySnapshot(older: OlderSnapshot): Promise<void> {
    const bytes = await this.#upstream.fetchTargets(older);
    const { targets } = parseMetadata(bytes, 'targets', older.path).signed;
    const packages = await this.#fetchIndex(targets);
    try {
      this.#files.claim(packages.flatMap(filesOf));
    } catch (error) {
      // It may have been here before another content came under the name.
      fs.rmSync(join(this.#folder, older.path), { force: true });
      throw error;
    }
    await this.#fetchFiles(packages);
    this.#upstream.write(older.path, bytes);
  }

  async #fetchShards(shards: IndexTargets): Promise<void> {
    await this.#inParallel(Object.entries(shards), ([path, target]) =>
      this.#upstream.fetchShard(path, target),
    );
  }

  async #fetchFiles(packages: readonly PackageRecord[]): Promise<void> {
    const wanted = packages.flatMap(filesOf);
    const folders = new Set<string>();
    await this.#inParallel(wanted, async (of) => {
      if (this.#files.has(of)) return;
      await this.#upstream.fetchFile(of);
      this.#files.note(of);
      folders.add(dirname(join(this.#folder, of.path)));
    });
    for (const folder of folders) syncFolder(folder);
  }

  /**
   * Of packages that are not here yet, before those: a package that is here has its patches, if there are any. Nobody
   * signed them, so what is wrong with them is no reason to go without the packages.
   */
  async #fetchPatches(packages: readonly PackageRecord[]): Promise<void> {
    if (this.#options.settings.patches === false) return;
    const fresh = packages.filter(({ package: of }) => of.size >= LEAST_PATCHED_SIZE && !this.#files.has(of));
    let hasPatches = true;
    await this.#inParallel(fresh, async (record) => {
      if (!hasPatches) return;
      try {
        await this.#fetchPatchesTo(record);
      } catch (error) {
        if (!(error instanceof IcepkgError) || error.code === 'cancelled') throw error;
        // An upstream that does not answer is asked for packages next, and no more for what it may not have.
        if (error.code === 'network-failed') hasPatches = false;
      }
    });
  }

  async #fetchPatchesTo({ package: { path, size } }: PackageRecord): Promise<void> {
    const listPath = patchListPath(path);
    const bytes = await this.#upstream.fetchBytes(addressIn(listPath), MAX_PATCH_LIST_BYTES);
    if (bytes === undefined) return;
    const list = decodePatchList(bytes, listPath);
    const patches = list.patches.filter((patch) => patch.size < size);
    for (const patch of patchesIn({ format: 1, patches }, path))
      if (!this.#files.has(patch)) await this.#upstream.fetchFile(patch);
    this.#upstream.write(listPath, canonicalJson({ format: 1, patches }));
  }

  /** The first failure ends the others: nothing that is missing may be named. */
  async #inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const { parallel = MIRROR_NETWORK.parallel } = this.#options;
    await inParallel(items, parallel, work);
  }
}

/** Trusted indexes: the first half of the repository client. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { compareShards } from '#schema/index-shard';
import type { TargetFile } from '#schema/tuf/metadata';
import type { RepositoryConfig } from '../config.ts';
import type { EngineContext } from '../context.ts';
import type { Candidate } from '../model.ts';
import { loadTrust } from '../trust/load-trust.ts';
import { openTrustStore, type TrustStore } from '../trust/store.ts';
import { unchangedTrust } from '../trust/unchanged.ts';
import { refreshTrust, type TrustedRepository, type UpdaterOptions } from '../trust/updater.ts';
import { openMirrors, withMirrors } from './mirrors.ts';
import { targetsToTake } from './pinned-snapshot.ts';
import { PackageIndex, type RepositoryIndex } from './package-index.ts';
import { ShardCache } from './shard-cache.ts';
import { getBytes, type Transport } from './transport.ts';

const TRUST = 'var/lib/ice-pkg/trust';

export interface LoadOptions {
  /** `auto`: as the configuration says, else from the cache; `force`: ask the mirrors; `never`: caches only. */
  readonly refresh: 'auto' | 'force' | 'never';
}

/**
 * Opens what the configured repositories offer for this machine, in order of preference; close it after use.
 * @throws IcepkgError `trust-…`, `network-failed` or `offline-missing` naming the repository's address
 */
export async function openIndex(context: EngineContext, options: LoadOptions): Promise<PackageIndex> {
  const opened: RepositoryIndex[] = [];
  try {
    for (const repository of context.config.repositories)
      opened.push(await openRepositoryIndex(context, repository, options.refresh));
  } catch (error) {
    for (const { catalogue } of opened) catalogue.close();
    throw error;
  }
  return new PackageIndex(opened);
}

/** Opens it for `work`. @throws as `openIndex` does */
export async function withIndex<T>(
  context: EngineContext,
  options: LoadOptions,
  work: (index: PackageIndex) => T,
): Promise<T> {
  const index = await openIndex(context, options);
  try {
    return work(index);
  } finally {
    index.close();
  }
}

/** Every package for this machine that the configured repositories offer. @throws as `openIndex` does */
export const loadIndexes = (context: EngineContext, options: LoadOptions): Promise<readonly Candidate[]> =>
  withIndex(context, options, (index) => index.all());

/** What one repository offers for this machine. @throws as `openIndex` does */
export async function openRepositoryIndex(
  context: EngineContext,
  repository: RepositoryConfig,
  refresh: LoadOptions['refresh'],
): Promise<RepositoryIndex> {
  const store = openAnchoredStore(context.root, repository);
  const mirrors = refresh === 'never' ? [] : openMirrors(context, repository);
  try {
    const { trusted, asked } = await bringUpToDate(context, { repository, store, mirrors, refresh });
    const folder = metadataFolder(repository);
    const { targets: taken } = await targetsToTake(context, {
      repository,
      folder,
      store,
      mirrors,
      current: trusted.targets,
    });
    const targets = Object.entries(taken)
      .filter(([path, target]) => isForMachine(path, target, context.arch))
      .sort(([a], [b]) => compareShards(a, b));
    const cache = new ShardCache(context.root, repository.name, targets);
    await cache.fetchMissing(context, mirrors, trusted.root.consistent_snapshot === true);
    const index = cache.open();
    cache.prune(Object.entries(taken));
    if (asked && !context.offline)
      context.onProgress({ phase: 'refresh', repository: repository.name, done: true });
    return index;
  } finally {
    for (const mirror of mirrors) mirror.close();
  }
}

/** Where a mirror has the metadata of the channel. */
export const metadataFolder = ({ channel }: RepositoryConfig): string =>
  `channels/${encodeURIComponent(channel)}/metadata`;

interface Refreshing {
  readonly repository: RepositoryConfig;
  readonly store: TrustStore;
  readonly mirrors: readonly Transport[];
  readonly refresh: LoadOptions['refresh'];
}

interface UpToDate {
  readonly trusted: TrustedRepository;
  /** A mirror was asked and answered; otherwise the cache did. */
  readonly asked: boolean;
}

async function bringUpToDate(context: EngineContext, of: Refreshing): Promise<UpToDate> {
  const { repository, store, mirrors, refresh } = of;
  const now = context.now();
  const age = (now.getTime() - store.clockFloor().getTime()) / 1000;
  // A clock that was set back tells no age.
  const fresh = age >= 0 && age < context.config.network.maxAge;
  // Who may not write the root reads what its owner fetched.
  const cached = refresh === 'auto' && (fresh || !store.isWritable());
  if (mirrors.length === 0 || cached) return fromCache(of, now);
  try {
    context.onProgress({ phase: 'refresh', repository: repository.name, done: false });
    const trusted = await withMirrors(context, mirrors, `repository ${repository.name}`, async (mirror) => {
      const folder = metadataFolder(repository);
      const fetch = (name: string, limit: number): Promise<Uint8Array | undefined> =>
        getBytes(mirror, `${folder}/${name}`, limit, context.signal);
      const fetcher = { base: mirror.addressOf(folder), fetch };
      return (
        (await unchangedTrust({ store, now, fetcher })) ??
        refreshTrust({ store, now, fetcher, accept: ofChannel(repository.channel) })
      );
    });
    return { trusted, asked: true };
  } catch (error) {
    if (refresh !== 'auto' || !(error instanceof IcepkgError) || error.code !== 'network-failed') throw error;
    const known = knownBefore(of, now, error);
    context.onProgress({ phase: 'warning', message: `${error.message}; going on with the cached index` });
    return known;
  }
}

/** What the cache has. @throws `problem`, which is why it is asked for, where it has nothing that is good */
function knownBefore(of: Refreshing, now: Date, problem: IcepkgError): UpToDate {
  try {
    return fromCache(of, now);
  } catch (error) {
    throw error instanceof IcepkgError ? problem : error;
  }
}

/** Channels share keys: a mirror must not pass one off as another. */
export function ofChannel(channel: string): NonNullable<UpdaterOptions['accept']> {
  return (signed, what) => {
    const { channel: actual = channel } = signed as { readonly channel?: unknown };
    if (actual === channel) return;
    throw new IcepkgError(
      'trust-failed',
      `${what}: is of the channel ${JSON.stringify(actual)}, not of ${channel}`,
      { hint: 'Name another mirror in etc/icepkg/repositories.toml, or the channel that is wanted' },
    );
  };
}

function fromCache({ repository, store }: Pick<Refreshing, 'repository' | 'store'>, now: Date): UpToDate {
  try {
    return { trusted: loadTrust(store, now), asked: false };
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    const { code, hint, data } = error;
    throw new IcepkgError(code, `repository ${repository.name}: ${error.message}`, {
      ...(hint === undefined ? {} : { hint }),
      ...(data === undefined ? {} : { data }),
      cause: error,
    });
  }
}

/** What a root knows of a repository. */
export const trustStoreOf = (root: string, { name, channel }: RepositoryConfig): TrustStore =>
  openTrustStore(join(root, TRUST, name, channel));

/** The trust store of a repository; it starts anew where the operator installed another trusted root. */
function openAnchoredStore(root: string, repository: RepositoryConfig): TrustStore {
  const store = trustStoreOf(root, repository);
  let anchor: Uint8Array;
  try {
    anchor = fs.readFileSync(join(root, repository.trust));
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'EACCES', 'EISDIR')) throw cause;
    throw new IcepkgError(
      'trust-failed',
      `repository ${repository.name}: no trusted root at ${repository.trust}`,
      {
        hint: 'Copy the root.json that the repository gives out by a trusted way there',
        cause,
      },
    );
  }
  store.anchor(anchor);
  return store;
}

/** `index/<arch>/<shard>.json.zst`; what else a repository may hold is for other tools. */
function isForMachine(path: string, target: TargetFile, machine: string): boolean {
  const match = /^index\/([a-z0-9_]+)\/[^/]+\.json\.zst$/.exec(path);
  const arch = target.custom?.['arch'] ?? match?.[1];
  return match !== null && (arch === machine || arch === 'noarch');
}

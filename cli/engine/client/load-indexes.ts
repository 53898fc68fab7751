/** Trusted indexes: the first half of the repository client. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { compareShards, overlay, type IndexShard } from '#schema/index-shard';
import type { TargetFile, Targets } from '#schema/tuf/metadata';
import type { RepositoryConfig } from '../config.ts';
import type { EngineContext } from '../context.ts';
import type { Candidate } from '../model.ts';
import { loadTrust } from '../trust/load-trust.ts';
import { replaceFile } from '../trust/replace-file.ts';
import { openTrustStore, type TrustStore } from '../trust/store.ts';
import { refreshTrust, type TrustedRepository, type UpdaterOptions } from '../trust/updater.ts';
import { checkMeta, knownHashes } from '../trust/trusted-metadata.ts';
import { decodeShard, MAX_COMPRESSED_SHARD } from './shard.ts';
import { openMirrors, withMirrors } from './mirrors.ts';
import { getBytes, type Transport } from './transport.ts';

/** Where the indexes of each repository are kept, below the root. */
export const INDEX_CACHE = 'var/cache/icepkg/index';
const TRUST = 'var/lib/ice-pkg/trust';

export interface LoadOptions {
  /** `auto`: as the configuration says, else from the cache; `force`: ask the mirrors; `never`: caches only. */
  readonly refresh: 'auto' | 'force' | 'never';
}

/**
 * Returns every package for this machine that the configured repositories offer, in order of preference.
 * @throws IcepkgError `trust-…`, `network-failed` or `offline-missing` naming the repository's address
 */
export async function loadIndexes(
  context: EngineContext,
  options: LoadOptions,
): Promise<readonly Candidate[]> {
  const candidates: Candidate[] = [];
  for (const repository of context.config.repositories) {
    candidates.push(...(await loadRepository(context, repository, options.refresh)));
  }
  return candidates;
}

/** What one repository offers for this machine. @throws as `loadIndexes` does */
export async function loadRepository(
  context: EngineContext,
  repository: RepositoryConfig,
  refresh: LoadOptions['refresh'],
): Promise<readonly Candidate[]> {
  const store = openAnchoredStore(context.root, repository);
  const mirrors = refresh === 'never' ? [] : openMirrors(context, repository);
  try {
    const { trusted, asked } = await bringUpToDate(context, { repository, store, mirrors, refresh });
    const named = Object.entries(trusted.targets.targets)
      .filter(([path, target]) => isForMachine(path, target, context.arch))
      .sort(([a], [b]) => compareShards(a, b));
    const shards: IndexShard[] = [];
    for (const shard of named) {
      const bytes = await loadShard(context, { repository, mirrors, trusted }, shard);
      shards.push(decodeShard(bytes, `${repository.name}: ${shard[0]}`));
    }
    const source = { kind: 'repository', repository: repository.name } as const;
    const candidates = [...overlay(shards).values()].map((record): Candidate => ({ record, source }));
    pruneCache(context.root, repository, trusted.targets);
    if (asked && !context.offline)
      context.onProgress({ phase: 'refresh', repository: repository.name, done: true });
    return candidates;
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
    const trusted = await withMirrors(context, mirrors, `repository ${repository.name}`, (mirror) => {
      const folder = metadataFolder(repository);
      const fetch = (name: string, limit: number): Promise<Uint8Array | undefined> =>
        getBytes(mirror, `${folder}/${name}`, limit, context.signal);
      const fetcher = { base: mirror.addressOf(folder), fetch };
      return refreshTrust({ store, now, fetcher, accept: ofChannel(repository.channel) });
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

interface ShardSource {
  readonly repository: RepositoryConfig;
  readonly mirrors: readonly Transport[];
  readonly trusted: TrustedRepository;
}

/** The compressed shard, from the cache where it is there already. */
async function loadShard(
  context: EngineContext,
  { repository, mirrors, trusted }: ShardSource,
  [path, target]: readonly [string, TargetFile],
): Promise<Uint8Array> {
  const file = join(context.root, INDEX_CACHE, repository.name, `${digestName(target, path)}.json.zst`);
  const cached = readMatching(file, target, path);
  if (cached !== undefined) return cached;
  return withMirrors(context, mirrors, `index of ${repository.name}`, async (mirror) => {
    const name = targetAddress(path, target, trusted.root.consistent_snapshot === true);
    const bytes = await getBytes(mirror, name, Math.min(target.length, MAX_COMPRESSED_SHARD), context.signal);
    if (bytes === undefined) {
      throw new IcepkgError('network-failed', `${mirror.addressOf(name)}: not found`, {
        hint: 'The mirror is incomplete: try again later or name another one',
      });
    }
    checkMeta(bytes, target, mirror.addressOf(name));
    keep(file, bytes);
    return bytes;
  });
}

/** Who may not write the cache does without it. */
function keep(file: string, bytes: Uint8Array): void {
  try {
    replaceFile(file, bytes);
  } catch (error) {
    if (!(error instanceof IcepkgError) || error.code !== 'root-read-only') throw error;
  }
}

/** 5.7.3: below `targets/`, with the digest in front of the file name where snapshots are consistent. */
export function targetAddress(path: string, target: TargetFile, consistent: boolean): string {
  const parts = path.split('/').map(encodeURIComponent);
  const name = parts.pop() ?? '';
  const prefix = consistent ? `${knownHashes(target.hashes, path)[0]?.[1] ?? ''}.` : '';
  return ['targets', ...parts, `${prefix}${name}`].join('/');
}

function digestName(target: TargetFile, path: string): string {
  const digest = target.hashes['sha256'];
  if (digest !== undefined && /^[0-9a-f]{64}$/.test(digest)) return digest;
  throw new IcepkgError('trust-failed', `target ${path}: has no sha256`);
}

function readMatching(file: string, target: TargetFile, path: string): Uint8Array | undefined {
  try {
    const bytes = fs.readFileSync(file);
    checkMeta(bytes, target, path);
    return bytes;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof IcepkgError) return undefined;
    throw error;
  }
}

/** Removes shards that the index does not name any more. */
function pruneCache(root: string, repository: RepositoryConfig, { targets }: Targets): void {
  const folder = join(root, INDEX_CACHE, repository.name);
  const named = new Set(
    Object.entries(targets).map(([path, target]) => `${digestName(target, path)}.json.zst`),
  );
  try {
    for (const name of fs.readdirSync(folder)) {
      if (!named.has(name)) fs.rmSync(join(folder, name), { force: true });
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EROFS', 'EACCES')) throw error;
  }
}

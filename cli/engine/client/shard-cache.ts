/** The shards of a repository's index as they are kept below the root, verified before they are written and when they are read. */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import type { TargetFile } from '#schema/tuf/metadata';
import type { EngineContext } from '../context.ts';
import { makeFolder } from '../make-folder.ts';
import { writeError } from '../trust/replace-file.ts';
import { checkMeta, knownHashes } from '../trust/trusted-metadata.ts';
import { Catalogue, type NamedShard } from './catalogue.ts';
import { withMirrors } from './mirrors.ts';
import type { RepositoryIndex } from './package-index.ts';
import { decompressShard, locateRecords, MAX_COMPRESSED_SHARD, type LocatedShard } from './shard.ts';
import { getBytes, type Transport } from './transport.ts';

/** Where the indexes of each repository are kept, below the root. */
export const INDEX_CACHE = 'var/cache/icepkg/index';
const CATALOGUE = 'catalogue.sqlite';

/** A target path and what is signed of it. */
export type Target = readonly [path: string, target: TargetFile];

export class ShardCache {
  readonly #repository: string;
  readonly #folder: string;
  /** In their order. */
  readonly #targets: readonly Target[];
  /** What was fetched, for who may not write the cache. */
  readonly #fetched = new Map<string, Uint8Array>();

  constructor(root: string, repository: string, targets: readonly Target[]) {
    this.#repository = repository;
    this.#folder = join(root, INDEX_CACHE, repository);
    this.#targets = targets;
  }

  /** Several at a time. @throws IcepkgError `network-failed`, `trust-failed`, `offline-missing` */
  async fetchMissing(
    context: EngineContext,
    mirrors: readonly Transport[],
    consistent: boolean,
  ): Promise<void> {
    const missing = each(this.#targets.filter((one) => this.#kept(one) === undefined));
    const fetchNext = async (): Promise<void> => {
      for (const [path, target] of missing) {
        const bytes = await withMirrors(context, mirrors, `index of ${this.#repository}`, (mirror) =>
          fetchShard(mirror, [path, target], { consistent, signal: context.signal }),
        );
        this.#fetched.set(path, bytes);
        keep(this.#file([path, target]), bytes);
      }
    };
    await Promise.all(Array.from({ length: context.config.network.parallel }, fetchNext));
  }

  /** With the catalogue of the shards, which is made or brought up to date. @throws IcepkgError `format-invalid` */
  open(): RepositoryIndex {
    const byPath = new Map(this.#targets.map((one) => [one[0], one]));
    const whatOf = (path: string): string => `${this.#repository}: ${path}`;
    const bytesOf = (path: string): Uint8Array => {
      const target = byPath.get(path);
      const bytes = this.#fetched.get(path) ?? (target && this.#kept(target));
      if (bytes !== undefined) return bytes;
      throw new IcepkgError('offline-missing', `${whatOf(path)}: not in the cache any more`, {
        hint: 'Another process refreshed meanwhile: run the command again',
      });
    };
    const shards = this.#targets.map(([path, target]): NamedShard => ({
      path,
      sha256: digestOf(target, path),
    }));
    const bytesIn = (path: string): Uint8Array => decompressShard(bytesOf(path), whatOf(path));
    const locateNew = ({ path }: NamedShard): LocatedShard => locateRecords(bytesIn(path), whatOf(path));
    return {
      repository: this.#repository,
      catalogue: Catalogue.open(join(this.#folder, CATALOGUE), shards, locateNew),
      // The records of whatever is in the catalogue were checked before.
      read: bytesIn,
    };
  }

  /** Removes shards that the index does not name any more. @param named of all architectures */
  prune(named: readonly Target[]): void {
    const names = new Set([CATALOGUE, `${CATALOGUE}-journal`, ...named.map((one) => nameOf(one))]);
    try {
      for (const name of fs.readdirSync(this.#folder))
        if (!names.has(name)) fs.rmSync(join(this.#folder, name), { force: true });
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EROFS', 'EACCES')) throw error;
    }
  }

  #file(target: Target): string {
    return join(this.#folder, nameOf(target));
  }

  /** The compressed shard, where the cache has it whole. */
  #kept([path, target]: Target): Uint8Array | undefined {
    try {
      const bytes = fs.readFileSync(this.#file([path, target]));
      checkMeta(bytes, target, path);
      return bytes;
    } catch (error) {
      if (isErrno(error, 'ENOENT') || error instanceof IcepkgError) return undefined;
      throw error;
    }
  }
}

async function fetchShard(
  mirror: Transport,
  [path, target]: Target,
  { consistent, signal }: { readonly consistent: boolean; readonly signal: AbortSignal | undefined },
): Promise<Uint8Array> {
  const name = targetAddress(path, target, consistent);
  const bytes = await getBytes(mirror, name, Math.min(target.length, MAX_COMPRESSED_SHARD), signal);
  if (bytes === undefined) {
    throw new IcepkgError('network-failed', `${mirror.addressOf(name)}: not found`, {
      hint: 'The mirror is incomplete: try again later or name another one',
    });
  }
  checkMeta(bytes, target, mirror.addressOf(name));
  return bytes;
}

/** Shared by several loops: the first that fails ends it for all. */
function* each<T>(items: readonly T[]): Generator<T> {
  yield* items;
}

/** Nothing is flushed, since each use compares the digest. Who may not write the cache does without it. */
function keep(file: string, bytes: Uint8Array): void {
  const aside = `${file}.${process.pid}.new`;
  try {
    makeFolder(dirname(file));
    fs.writeFileSync(aside, bytes);
    fs.renameSync(aside, file);
  } catch (cause) {
    if (isErrno(cause, 'EROFS', 'EACCES', 'EPERM')) return;
    fs.rmSync(aside, { force: true });
    throw writeError(file, cause);
  }
}

/** 5.7.3: below `targets/`, with the digest in front of the file name where snapshots are consistent. */
export function targetAddress(path: string, target: TargetFile, consistent: boolean): string {
  const parts = path.split('/').map(encodeURIComponent);
  const name = parts.pop() ?? '';
  const prefix = consistent ? `${knownHashes(target.hashes, path)[0]?.[1] ?? ''}.` : '';
  return ['targets', ...parts, `${prefix}${name}`].join('/');
}

const nameOf = ([path, target]: Target): string => `${digestOf(target, path)}.json.zst`;

function digestOf(target: TargetFile, path: string): string {
  const digest = target.hashes['sha256'];
  if (digest !== undefined && /^[0-9a-f]{64}$/.test(digest)) return digest;
  throw new IcepkgError('trust-failed', `target ${path}: has no sha256`);
}

/**
 * Looks at a repository in an object store as a client would, and beyond: every signature, and every file that what is served
 * names, each read once as it comes and kept nowhere.
 */
import { createHash } from 'node:crypto';
import { MAX_COMPRESSED_SHARD, decodeShard } from '#engine/client/shard';
import { withMirrors, type ClientContext } from '#engine/client/mirrors';
import { getBytes, type Transport } from '#engine/client/transport';
import { checkMeta } from '#engine/trust/trusted-metadata';
import { MAX_BYTES, type TrustedRepository } from '#engine/trust/updater';
import { IcepkgError } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { MAX_PATCH_LIST_BYTES, patchListPath } from '#schema/patch/format';
import { historyIn } from '#schema/tuf/history';
import { parseMetadata, type TargetFile } from '#schema/tuf/metadata';
import { inParallel } from '../in-parallel.ts';
import { metadataFolder } from '../layout.ts';
import { MIRROR_NETWORK } from '../mirror.ts';
import { decodePatchList, patchesIn } from '../patches/patch-files.ts';
import { isCollectable, isReferenced } from '../references.ts';
import { refreshAsClient } from '../refresh-as-client.ts';
import { filesOf, recordsOf, shardFileOf, type IndexTargets } from '../served.ts';
import { problemOf } from '../verify.ts';
import type { ObjectStore, StoredObject } from './s3.ts';

export interface VerifyStoreOptions {
  /** Instead of the first root that the store has of each channel. */
  readonly trustedRoot?: Uint8Array;
  readonly now?: Date;
  /** Files at a time. */
  readonly parallel?: number;
}

export interface VerifiedStore {
  readonly channels: number;
  /** Snapshots that roots can be at: those that are served, and those that they vouch for. */
  readonly snapshots: number;
  /** Files whose digest was computed. */
  readonly files: number;
  readonly bytes: number;
  /** Packages, shards and metadata that nothing served names. */
  readonly orphans: readonly string[];
  readonly orphanBytes: number;
  /** Each names the thing. */
  readonly problems: readonly string[];
}

/** @throws IcepkgError `not-found` where no channel is served there, `network-failed` */
export async function verifyStore(
  store: ObjectStore,
  options: VerifyStoreOptions = {},
): Promise<VerifiedStore> {
  const there = await store.list();
  const channels = [...there.keys()].flatMap((path) => ENTRY.exec(path)?.[1] ?? []).sort();
  if (channels.length === 0) {
    throw new IcepkgError('not-found', `${store.addressOf('')}: no channel is served here`, {
      hint: 'Name the place that icepkg repo publish --to was given',
    });
  }
  const run = new Verification(store, there, options);
  for (const channel of channels) await run.readChannel(channel);
  return { channels: channels.length, ...(await run.readFiles()) };
}

const ENTRY = /^channels\/([^/]+)\/metadata\/timestamp\.json$/;

/** Objects as a mirror gives them, by their plain paths. */
const transportOf = (store: ObjectStore): Transport => ({
  addressOf: (path) => store.addressOf(path),
  get: (path) => store.open(path),
  close: () => undefined,
});

type NamedFile = Pick<PackageRecord['package'], 'path' | 'size' | 'sha256'>;

class Verification {
  readonly #there: ReadonlyMap<string, StoredObject>;
  readonly #options: VerifyStoreOptions;
  readonly #transport: Transport;
  readonly #client: ClientContext = {
    config: { network: MIRROR_NETWORK },
    offline: false,
    onProgress: () => undefined,
  };
  readonly #problems: string[] = [];
  /** Paths that what is served names; of shards, too, and metadata. */
  readonly #named = new Set<string>();
  /** By path and digest: where two indexes differ, what is there cannot be right for both. */
  readonly #files = new Map<string, NamedFile>();
  readonly #shards = new Map<string, ReturnType<typeof decodeShard>>();
  #snapshots = 0;
  #bytes = 0;

  constructor(store: ObjectStore, there: ReadonlyMap<string, StoredObject>, options: VerifyStoreOptions) {
    this.#there = there;
    this.#options = options;
    this.#transport = transportOf(store);
  }

  /** Signatures first: what they do not vouch for is not looked at. */
  async readChannel(channel: string): Promise<void> {
    await this.#noting(async () => {
      const { trustedRoot, now = new Date() } = this.#options;
      const anchor = trustedRoot === undefined ? {} : { trustedRoot };
      const trusted = await this.#trying(channel, (transport) =>
        refreshAsClient({ transport, channel, now, ...anchor }),
      );
      const folder = metadataFolder(channel);
      const { version } = trusted.snapshot.signed;
      this.#named.add(`${folder}/${version}.snapshot.json`);
      const targetsVersion = trusted.snapshot.signed.meta['targets.json']?.version ?? 0;
      this.#named.add(`${folder}/${targetsVersion}.targets.json`);
      await this.#readIndex(trusted.targets.targets);
      await this.#readHistory(folder, trusted);
    });
  }

  async readFiles(): Promise<Omit<VerifiedStore, 'channels'>> {
    const { parallel = 8 } = this.#options;
    await inParallel([...this.#files.values()], parallel, (file) => this.#noting(() => this.#readFile(file)));
    const orphans = [...this.#there.keys()]
      .filter((path) => isCollectable(path) && !isReferenced(this.#named, path))
      .sort();
    return {
      snapshots: this.#snapshots,
      files: this.#files.size,
      bytes: this.#bytes,
      orphans,
      orphanBytes: orphans.reduce((sum, path) => sum + (this.#there.get(path)?.size ?? 0), 0),
      problems: [...new Set(this.#problems)],
    };
  }

  /** The snapshots that roots may stay at. */
  async #readHistory(folder: string, { targets }: TrustedRepository): Promise<void> {
    for (const meta of Object.values(historyIn(targets, `${folder}: history`))) {
      const path = `${folder}/${meta.version}.targets.json`;
      this.#named.add(path);
      await this.#noting(async () => {
        const bytes = await this.#bytesOf(path, Math.min(meta.length, MAX_BYTES.targets));
        checkMeta(bytes, meta, path);
        await this.#readIndex(parseMetadata(bytes, 'targets', path).signed.targets);
      });
    }
  }

  async #readIndex(targets: IndexTargets): Promise<void> {
    this.#snapshots += 1;
    const shards = Object.entries(targets);
    for (const [path, target] of shards)
      await this.#noting(() => this.#readShard(shardFileOf(path, target), target));
    const known = shards.flatMap(([path, target]) => {
      const content = this.#shards.get(shardFileOf(path, target));
      return content === undefined ? [] : [{ path, target, content }];
    });
    for (const record of recordsOf(known).values()) {
      for (const file of filesOf(record)) this.#name(file);
      await this.#noting(() => this.#readPatches(record));
    }
  }

  async #readShard(path: string, target: TargetFile): Promise<void> {
    if (this.#named.has(path)) return;
    this.#named.add(path);
    const bytes = await this.#bytesOf(path, Math.min(target.length, MAX_COMPRESSED_SHARD));
    checkMeta(bytes, target, path);
    this.#shards.set(path, decodeShard(bytes, path));
  }

  /** Nobody signed them, but what they name should be there. */
  async #readPatches({ package: { path } }: PackageRecord): Promise<void> {
    const list = patchListPath(path);
    if (!this.#there.has(list) || this.#named.has(list)) return;
    this.#named.add(list);
    const bytes = await this.#bytesOf(list, MAX_PATCH_LIST_BYTES);
    for (const patch of patchesIn(decodePatchList(bytes, list), path)) this.#name(patch);
  }

  #name(file: NamedFile): void {
    this.#named.add(file.path);
    this.#files.set(`${file.sha256} ${file.path}`, file);
  }

  async #bytesOf(path: string, limit: number): Promise<Uint8Array> {
    const bytes = await this.#trying(path, (transport) => getBytes(transport, path, limit));
    if (bytes === undefined) throw new IcepkgError('not-found', `${path} is missing`);
    return bytes;
  }

  async #readFile({ path, size, sha256 }: NamedFile): Promise<void> {
    const stored = this.#there.get(path);
    if (stored === undefined) throw new IcepkgError('not-found', `${path} is missing`);
    const damaged = new IcepkgError('verify-failed', `${path} is damaged`);
    if (stored.size !== size) throw damaged;
    const digest = await this.#trying(path, async (transport) => {
      const hash = createHash('sha256');
      const reply = await transport.get(path);
      if (reply === undefined) throw new IcepkgError('not-found', `${path} is missing`);
      let read = 0;
      for await (const piece of reply.body) {
        hash.update(piece);
        read += piece.length;
        if (read > size) throw damaged;
      }
      return hash.digest('hex');
    });
    if (digest !== sha256) throw damaged;
    this.#bytes += size;
  }

  #trying<T>(what: string, work: (transport: Transport) => Promise<T>): Promise<T> {
    return withMirrors(this.#client, [this.#transport], what, work);
  }

  #noting(work: () => Promise<unknown>): Promise<void> {
    return problemOf(this.#problems, work);
  }
}

/** What every command that changes a channel begins with: the lock, the root that signs, and what is served. */
import type { PackageRecord } from '#schema/index-shard';
import type { PrivateKey } from '#schema/keys';
import { readRepositoryConfig, type RepositoryConfig } from './config.ts';
import { DEFAULT_CHANNEL, metadataFolder } from './layout.ts';
import { withLock, type LockOptions } from './lock.ts';
import { readChannel, type ChannelMetadata } from './metadata.ts';
import { readPool, withStage, type Pool } from './pool.ts';
import { readShards, recordsOf, type IndexTargets } from './served.ts';
import type { ServedShard } from './shards.ts';
import { channelNumber } from './snapshots.ts';
import { Writer } from './writer.ts';

export interface ChangeOptions extends LockOptions {
  readonly channel?: string;
  /** Private keys of the roles targets, snapshot and timestamp. */
  readonly keys: readonly PrivateKey[];
  /** Said in the signed targets. */
  readonly message?: string;
  readonly now?: Date;
  /** Called before each file is written, with its path in the repository. */
  readonly onWrite?: (path: string) => void;
}

export interface OpenChannel {
  readonly repository: string;
  readonly channel: string;
  readonly config: RepositoryConfig;
  readonly metadata: ChannelMetadata;
  readonly pool: Pool;
  readonly now: Date;
  readonly writer: Writer;
  /** Of the index that is served. */
  readonly targets: IndexTargets;
  readonly shards: readonly ServedShard[];
  readonly served: ReadonlyMap<string, PackageRecord>;
  /** Number of the snapshot that is served. */
  readonly number: number | undefined;
  /** What is served, with what is staged. */
  readonly wanted: ReadonlyMap<string, PackageRecord>;
}

/** @throws IcepkgError `root-locked`, `not-found` where it is no repository, `usage` */
export async function withChannel<T>(
  repository: string,
  options: Omit<ChangeOptions, 'keys'>,
  work: (open: OpenChannel) => T | Promise<T>,
): Promise<T> {
  const { channel = DEFAULT_CHANNEL } = options;
  metadataFolder(channel);
  const config = readRepositoryConfig(repository);
  return withLock(
    repository,
    () => {
      const metadata = readChannel(repository, channel, DEFAULT_CHANNEL);
      const now = options.now ?? new Date();
      const pool = readPool(repository);
      const targets = metadata.targets?.signed.targets ?? {};
      const shards = readShards(repository, targets);
      const served = recordsOf(shards);
      return work({
        repository,
        channel,
        config,
        metadata,
        pool,
        now,
        targets,
        shards,
        served,
        writer: new Writer(repository, options.onWrite),
        number: channelNumber(metadata),
        wanted: withStage(pool, channel, served),
      });
    },
    options,
  );
}

/** What a repository holds and until when it is good. */
import type { RoleName } from './config.ts';
import { readRepositoryConfig, ROLES } from './config.ts';
import { channelsOf } from './layout.ts';
import { isSignedFor, readChannel } from './metadata.ts';
import { readPool, withStage } from './pool.ts';
import { readableRecords } from './served.ts';
import { channelNumber } from './snapshots.ts';

export interface RoleStatus {
  readonly role: RoleName;
  readonly version: number;
  readonly expires: string;
  readonly expired: boolean;
  /** By enough of the keys that the root of the channel names. */
  readonly signed: boolean;
  readonly threshold: number;
  readonly keyids: readonly string[];
}

export interface ChannelStatus {
  readonly channel: string;
  /** Number of the snapshot that it serves. */
  readonly snapshot: number | undefined;
  /** Packages that it will have after the next publish. */
  readonly packages: readonly {
    readonly name: string;
    readonly version: string;
    readonly arch: string;
    readonly size: number;
  }[];
  /** Roles that were published. */
  readonly roles: readonly RoleStatus[];
}

export interface RepositoryStatus {
  readonly repository: string;
  readonly name: string;
  readonly channels: readonly ChannelStatus[];
}

export function repositoryStatus(repository: string, now: Date = new Date()): RepositoryStatus {
  const { name } = readRepositoryConfig(repository);
  const pool = readPool(repository);
  const channels = channelsOf(repository).map((channel): ChannelStatus => {
    const metadata = readChannel(repository, channel);
    const root = metadata.root.signed;
    const served = readableRecords(repository, metadata.targets?.signed.targets ?? {}, () => undefined);
    return {
      channel,
      snapshot: channelNumber(metadata),
      packages: [...withStage(pool, channel, served).values()].map((record) => ({
        name: record.name,
        version: record.version,
        arch: record.arch,
        size: record.package.size,
      })),
      roles: ROLES.flatMap((role): RoleStatus[] => {
        const of = metadata[role];
        if (of === undefined) return [];
        const { keyids, threshold } = root.roles[role];
        const { version, expires } = of.signed;
        const expired = Date.parse(expires) <= now.getTime();
        return [{ role, version, expires, expired, signed: isSignedFor(root, role, of), threshold, keyids }];
      }),
    };
  });
  return { repository, name, channels };
}

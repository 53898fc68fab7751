/** Looks at a whole repository as a client would, and beyond: every signature, and the digest of every file that is named. */
import { join } from 'node:path';
import { folderTransport } from '#engine/client/folder';
import { IcepkgError } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { readRepositoryConfig, ROLES } from './config.ts';
import { hashFile } from './hash-file.ts';
import { channelsOf } from './layout.ts';
import {
  filesOf,
  readableRecords,
  readForeignShard,
  rememberingReader,
  type IndexTargets,
} from './served.ts';
import { isSignedFor, readChannel, type ChannelMetadata } from './metadata.ts';
import { mirroredPackages, mirroredShards, readMirrorSettings } from './mirror-settings.ts';
import { carriedIndexes } from './older-snapshots.ts';
import { listedPatches, type PatchFile } from './patches/patch-files.ts';
import { refreshAsClient } from './refresh-as-client.ts';
import { readSnapshot, snapshotNumbers } from './snapshots.ts';

export interface VerifiedRepository {
  readonly channels: number;
  readonly snapshots: number;
  /** Files whose digest was computed. */
  readonly files: number;
  readonly bytes: number;
  /** Each names the thing. */
  readonly problems: readonly string[];
  /** Channels that clients refuse until the next publish: nothing was published, or a role expired or lost its keys. */
  readonly toPublish: readonly string[];
}

/** Reads everything; holds no lock, since what is published never changes. @throws IcepkgError `not-found` */
export async function verifyRepository(
  repository: string,
  now: Date = new Date(),
): Promise<VerifiedRepository> {
  readRepositoryConfig(repository);
  const problems: string[] = [];
  const toPublish: string[] = [];
  // By path and digest: where two indexes differ, what is there cannot be right for both.
  const files = new Map<string, PatchFile>();
  const settings = readMirrorSettings(repository);
  const read = rememberingReader(readForeignShard);
  const patchesOf = (record: PackageRecord): readonly PatchFile[] => {
    try {
      return listedPatches(repository, record);
    } catch (error) {
      if (!(error instanceof IcepkgError)) throw error;
      problems.push(error.message);
      return [];
    }
  };
  const addIndex = (targets: IndexTargets): void => {
    const shards = mirroredShards(targets, settings);
    const records = readableRecords(repository, shards, (problem) => problems.push(problem.message), read);
    for (const record of mirroredPackages([...records.values()], settings ?? {}))
      for (const file of [...filesOf(record), ...patchesOf(record)])
        files.set(`${file.sha256} ${file.path}`, file);
  };
  const channels = channelsOf(repository);
  const transport = folderTransport(repository);
  for (const channel of channels) {
    await problemOf(problems, () => refreshAsClient({ transport, channel, now }));
    await problemOf(problems, () => {
      const metadata = readChannel(repository, channel);
      // Nobody publishes in a mirror.
      if (settings === undefined && isToPublish(metadata, now)) toPublish.push(channel);
      const targets = metadata.targets?.signed;
      if (targets === undefined) return;
      addIndex(targets.targets);
      for (const older of carriedIndexes(repository, channel, { targets, settings })) addIndex(older.targets);
    });
  }
  const numbers = snapshotNumbers(repository);
  for (const number of numbers)
    await problemOf(problems, () => addIndex(readSnapshot(repository, number).targets));
  let bytes = 0;
  for (const { path, size, sha256 } of files.values()) {
    await problemOf(problems, () => {
      const actual = hashFile(join(repository, path));
      if (actual.sha256 !== sha256 || actual.size !== size)
        throw new IcepkgError('verify-failed', `${path} is damaged`);
      bytes += size;
    });
  }
  return {
    channels: channels.length,
    snapshots: numbers.length,
    files: files.size,
    bytes,
    problems: [...new Set(problems)],
    toPublish,
  };
}

const isToPublish = (metadata: ChannelMetadata, now: Date): boolean =>
  metadata.timestamp === undefined ||
  ROLES.some((role) => {
    const of = metadata[role];
    if (of === undefined || role === 'root') return false;
    return !isSignedFor(metadata.root.signed, role, of) || Date.parse(of.signed.expires) <= now.getTime();
  });

/** Calls `work`, and notes what a user is told where it fails. */
export async function problemOf(problems: string[], work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    problems.push(error.message);
  }
}

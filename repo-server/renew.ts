/** Signs timestamps anew before they run out, with nothing but their key: what a server does by itself. */
import type { PrivateKey } from '#schema/keys';
import { readRepositoryConfig } from './config.ts';
import { channelsOf, DEFAULT_CHANNEL, metadataFolder } from './layout.ts';
import { withLock, type LockOptions } from './lock.ts';
import { expiryAfter, isSignedFor, readChannel, signAs } from './metadata.ts';
import { Writer } from './writer.ts';

export interface RenewOptions extends LockOptions {
  readonly keys: readonly PrivateKey[];
  readonly now?: Date;
}

/**
 * Renews the timestamp of each channel that has less than half of its lifetime left, or was signed by former keys.
 * @returns the channels
 * @throws IcepkgError `usage` where the keys are not those of the role, `root-locked`
 */
export async function renewTimestamps(repository: string, options: RenewOptions): Promise<readonly string[]> {
  const { keys, now = new Date() } = options;
  const { expiryDays } = readRepositoryConfig(repository);
  return withLock(
    repository,
    () => {
      const writer = new Writer(repository);
      return channelsOf(repository).filter((channel) => {
        const { root, timestamp } = readChannel(repository, channel, DEFAULT_CHANNEL);
        if (timestamp === undefined) return false;
        const left = Date.parse(timestamp.signed.expires) - now.getTime();
        const signed = isSignedFor(root.signed, 'timestamp', timestamp);
        if (signed && left > (expiryDays.timestamp * 86_400_000) / 2) return false;
        const next = {
          ...timestamp.signed,
          version: timestamp.signed.version + 1,
          expires: expiryAfter(now, expiryDays.timestamp),
        };
        const bytes = signAs({ root: root.signed, role: 'timestamp', keys }, next);
        writer.write({ path: `${metadataFolder(channel)}/timestamp.json`, bytes });
        return true;
      });
    },
    options,
  );
}

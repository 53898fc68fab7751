/**
 * Goes past numbers that another publisher took in an object store and never came to serve: what it left there stays, since it may be
 * alive, and this repository is signed anew beyond it. So the conditional write of the entry still decides between the two, and
 * versions only rise.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PrivateKey } from '#schema/keys';
import { readRepositoryConfig } from '../config.ts';
import { channelsOf, metadataFolder } from '../layout.ts';
import { withLock, type LockOptions } from '../lock.ts';
import { readChannel } from '../metadata.ts';
import { signChannel } from '../sign-channel.ts';
import { channelNumber } from '../snapshots.ts';
import { Writer } from '../writer.ts';
import { descendsFrom } from './ancestry.ts';
import type { ObjectStore } from './s3.ts';
import { readStoredEntry } from './stored-metadata.ts';

export interface PassOverOptions extends LockOptions {
  /** Private keys of the roles targets, snapshot and timestamp. */
  readonly keys: readonly PrivateKey[];
  readonly now?: Date;
}

export interface PassedOver {
  readonly channel: string;
  /** Greatest version that was passed over, and that of the targets now. */
  readonly taken: number;
  readonly version: number;
}

/**
 * Before an upload. Channels of which the store serves something that did not come from this folder are left to the upload, which
 * refuses them.
 * @throws IcepkgError `usage` where keys do not reach a role's threshold, `root-locked`, `network-failed`
 */
export async function passOverTaken(
  repository: string,
  store: ObjectStore,
  options: PassOverOptions,
): Promise<readonly PassedOver[]> {
  return withLock(
    repository,
    async () => {
      const passed: PassedOver[] = [];
      for (const channel of channelsOf(repository)) {
        const taken = await numbersTaken(repository, store, channel);
        if (taken === undefined) continue;
        passed.push({ channel, taken, version: signBeyond({ repository, channel, taken }, options) });
      }
      return passed;
    },
    options,
  );
}

/**
 * The version before the first that nobody took, where one that this folder is about to bring there is another one's. No greater one
 * counts: anybody who can write there can leave a name with any number.
 */
async function numbersTaken(
  repository: string,
  store: ObjectStore,
  channel: string,
): Promise<number | undefined> {
  const folder = metadataFolder(channel);
  if (!existsSync(join(repository, folder, 'timestamp.json'))) return undefined;
  const entry = await readStoredEntry(store, channel);
  if (entry !== undefined && !descendsFrom({ repository, store }, channel, entry)) return undefined;
  const { snapshot, targets } = readChannel(repository, channel);
  if (snapshot === undefined || targets === undefined) return undefined;
  if (entry?.snapshot.version === snapshot.signed.version) return undefined;
  const own = [
    `${folder}/${snapshot.signed.version}.snapshot.json`,
    `${folder}/${targets.signed.version}.targets.json`,
  ];
  for (const path of own) {
    const stored = await store.get(path);
    if (stored === undefined || stored.text === readFileSync(join(repository, path), 'utf8')) continue;
    const versions = [...(await store.list(`${folder}/`)).keys()].flatMap(
      (name) => /(?:^|\/)(\d{1,15})\.(?:snapshot|targets)\.json$/.exec(name)?.[1] ?? [],
    );
    const taken = new Set(versions.map(Number));
    let last = Math.max(snapshot.signed.version, targets.signed.version);
    while (taken.has(last + 1)) last += 1;
    return last;
  }
  return undefined;
}

interface Beyond {
  readonly repository: string;
  readonly channel: string;
  readonly taken: number;
}

/** The same packages by the same snapshot, under greater versions. */
function signBeyond(
  { repository, channel, taken }: Beyond,
  { keys, now = new Date() }: PassOverOptions,
): number {
  const metadata = readChannel(repository, channel);
  const before = metadata.targets?.signed;
  const message = before?.['message'];
  const signed = signChannel({
    repository,
    channel,
    metadata,
    expiryDays: readRepositoryConfig(repository).expiryDays,
    now,
    keys,
    message: typeof message === 'string' ? message : undefined,
    targets: before?.targets ?? {},
    snapshot: channelNumber(metadata),
    changed: true,
    beyond: taken,
  });
  const writer = new Writer(repository);
  for (const file of signed.files) writer.write(file);
  return signed.versions.targets;
}

/**
 * A root that stays at a snapshot of a channel: the channel is refreshed as ever, so that nothing about its freshness or its floor
 * changes, and its signed targets vouch by digest for the older targets file that is taken instead of them.
 */
import { IcepkgError } from '#schema/error';
import { historyIn, snapshotNumberIn, type NumberedTargets } from '#schema/tuf/history';
import { parseMetadata, type Targets } from '#schema/tuf/metadata';
import { REPOSITORIES_FILE, type RepositoryConfig } from '../config.ts';
import type { EngineContext } from '../context.ts';
import type { TrustStore } from '../trust/store.ts';
import { checkMeta } from '../trust/trusted-metadata.ts';
import { MAX_BYTES } from '../trust/updater.ts';
import { withMirrors } from './mirrors.ts';
import { getBytes, type Transport } from './transport.ts';

/** What the trust store calls the targets of the snapshot; they are believed only as long as the channel vouches for them. */
const KEPT = 'pinned-targets';

export interface PinnedSnapshot {
  readonly repository: RepositoryConfig;
  /** Where a mirror has the metadata of the channel. */
  readonly folder: string;
  readonly store: TrustStore;
  readonly mirrors: readonly Transport[];
  /** What the channel serves, refreshed. */
  readonly current: Targets;
}

/**
 * The targets to take: those of the snapshot that the configuration names, else what the channel serves.
 * @throws IcepkgError `not-found` where the channel does not vouch for that snapshot any more, `network-failed`, `trust-failed`
 */
export async function targetsToTake(context: EngineContext, pinned: PinnedSnapshot): Promise<Targets> {
  const { repository, current, store } = pinned;
  const { snapshot, name, channel } = repository;
  if (snapshot === undefined || snapshotNumberIn(current) === snapshot) return current;
  const meta = historyIn(current, `repository ${name}: history of ${channel}`)[snapshot];
  if (meta === undefined) {
    throw new IcepkgError('not-found', `repository ${name}: ${channel} offers no snapshot ${snapshot}`, {
      hint: `Name another one in ${REPOSITORIES_FILE}, or none; the operator sees them with icepkg repo snapshots`,
    });
  }
  const kept = store.read(KEPT);
  const bytes = kept !== undefined && isNamed(kept, meta) ? kept : await fetchTargets(context, pinned, meta);
  const { signed } = parseMetadata(bytes, 'targets', `snapshot ${snapshot} of ${name}`);
  if (snapshotNumberIn(signed) === snapshot && signed['channel'] === channel) return signed;
  throw new IcepkgError('trust-failed', `repository ${name}: ${channel} names something else as ${snapshot}`);
}

async function fetchTargets(
  context: EngineContext,
  { repository, folder, store, mirrors }: PinnedSnapshot,
  meta: NumberedTargets,
): Promise<Uint8Array> {
  const file = `${folder}/${meta.version}.targets.json`;
  const what = `snapshot ${repository.snapshot ?? ''} of ${repository.name}`;
  const bytes = await withMirrors(context, mirrors, what, async (mirror) => {
    const got = await getBytes(mirror, file, Math.min(meta.length, MAX_BYTES.targets), context.signal);
    if (got === undefined)
      throw new IcepkgError('network-failed', `${mirror.addressOf(file)}: not found`, {
        hint: 'A mirror may lack older snapshots: name the repository itself, too',
      });
    checkMeta(got, meta, mirror.addressOf(file));
    return got;
  });
  store.write(KEPT, bytes);
  return bytes;
}

function isNamed(bytes: Uint8Array, meta: NumberedTargets): boolean {
  try {
    checkMeta(bytes, meta, KEPT);
    return true;
  } catch (error) {
    if (error instanceof IcepkgError) return false;
    throw error;
  }
}

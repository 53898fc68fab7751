/** What a trust store holds, without asking anybody: everything is checked again as if it came from a mirror. */
import { IcepkgError } from '#schema/error';
import type { MetaFile } from '#schema/tuf/metadata';
import type { TrustStore } from './store.ts';
import {
  checkExpiry,
  checkMeta,
  checkVersion,
  metaOf,
  trustInitialRoot,
  trustSnapshot,
  trustTargets,
  trustTimestamp,
} from './trusted-metadata.ts';
import { startTime, type TrustedRepository } from './updater.ts';

/**
 * The trusted metadata as last refreshed; nothing is fetched or written. Where a refresh broke off between
 * timestamp and targets, what was current before it still is good, as it would be had nobody refreshed.
 * @throws IcepkgError `trust-expired`, `trust-failed`, or `offline-missing` where nothing was fetched yet
 */
export function loadTrust(store: TrustStore, now: Date): TrustedRepository {
  const time = startTime(store, now);
  const root = trustInitialRoot(required(store, 'root'), 'root.json').signed;
  checkExpiry(root, time, 'root.json');
  const timestamp = trustTimestamp(root, undefined, required(store, 'timestamp'), 'timestamp.json').signed;
  checkExpiry(timestamp, time, 'timestamp.json');
  const snapshot = trustSnapshot(root, undefined, required(store, 'snapshot'), 'snapshot.json');
  checkNamed(snapshot, timestamp.meta['snapshot.json'], 'snapshot.json');
  checkExpiry(snapshot.signed, time, 'snapshot.json');
  const delegator = { keys: root.keys, role: root.roles.targets };
  const targets = trustTargets(delegator, required(store, 'targets'), 'targets.json');
  checkNamed(targets, metaOf(snapshot.signed, 'targets.json'), 'targets.json');
  checkExpiry(targets.signed, time, 'targets.json');
  return { root, snapshot, targets: targets.signed };
}

interface Stored {
  readonly signed: { readonly version: number };
  readonly bytes: Uint8Array;
}

/** Older than its parent says is what an interrupted refresh leaves; newer, or other bytes, nothing does. */
function checkNamed({ signed, bytes }: Stored, meta: MetaFile | undefined, what: string): void {
  if (meta === undefined) throw new IcepkgError('trust-failed', `snapshot.json: does not name ${what}`);
  if (signed.version < meta.version) return;
  checkVersion(signed.version, meta.version, what);
  checkMeta(bytes, meta, what);
}

function required(store: TrustStore, role: string): Uint8Array {
  const bytes = store.read(role);
  if (bytes !== undefined) return bytes;
  throw new IcepkgError('offline-missing', `no ${role}.json was fetched yet`, {
    hint: 'Run icepkg update with a connection, or name a folder as mirror in etc/icepkg/repositories.toml',
  });
}

/** Metadata of a small repository, by version. */
import { generateKey, keyId, type PrivateKey } from '#schema/keys';
import { signMetadata } from '#schema/tuf/metadata';

export const LATER = '2030-02-01T00:00:00Z';
export const key = generateKey();

const common = (version: number, expires = LATER) => ({ spec_version: '1.0.33', version, expires });
const role = (keys: PrivateKey[]) => ({ keyids: keys.map((k) => keyId(k.public)), threshold: 1 });

/** A root; `online` signs timestamp and snapshot. */
export function rootOf(version: number, online = key): Uint8Array {
  const roles = {
    root: role([key]),
    timestamp: role([online]),
    snapshot: role([online]),
    targets: role([key]),
  };
  const keys = Object.fromEntries([key, online].map((k) => [keyId(k.public), k.public]));
  return signMetadata({ _type: 'root', ...common(version), consistent_snapshot: true, keys, roles }, [key]);
}

/** Timestamp, snapshot and targets of one version, by file name. */
export function metadataOf(
  version: number,
  { by = key, expires = LATER } = {},
): ReadonlyMap<string, Uint8Array> {
  const meta = (name: string) => ({ [name]: { version } });
  const timestamp = { _type: 'timestamp', ...common(version, expires), meta: meta('snapshot.json') };
  const snapshot = { _type: 'snapshot', ...common(version), meta: meta('targets.json') };
  const targets = { _type: 'targets', ...common(version), targets: {} };
  return new Map([
    ['timestamp.json', signMetadata(timestamp, [by])],
    [`${version}.snapshot.json`, signMetadata(snapshot, [by])],
    [`${version}.targets.json`, signMetadata(targets, [key])],
  ]);
}

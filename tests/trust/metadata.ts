/** Metadata of a small repository, by version. */
import { generateKey, keyId, type PrivateKey } from '#schema/keys';
import { signMetadata } from '#schema/tuf/metadata';

export const LATER = '2030-02-01T00:00:00Z';
export const key = generateKey();

const common = (version: number, expires = LATER) => ({ spec_version: '1.0.33', version, expires });
const role = (keys: PrivateKey[]) => ({ keyids: keys.map((k) => keyId(k.public)), threshold: 1 });

/** Who signs timestamp and snapshot, one for both or one each. */
export type Online = PrivateKey | { readonly timestamp: PrivateKey; readonly snapshot: PrivateKey };
const each = (online: Online) => ('timestamp' in online ? online : { timestamp: online, snapshot: online });

export function rootOf(version: number, online: Online = key): Uint8Array {
  const { timestamp, snapshot } = each(online);
  const roles = {
    root: role([key]),
    timestamp: role([timestamp]),
    snapshot: role([snapshot]),
    targets: role([key]),
  };
  const keys = Object.fromEntries([key, timestamp, snapshot].map((k) => [keyId(k.public), k.public]));
  return signMetadata({ _type: 'root', ...common(version), consistent_snapshot: true, keys, roles }, [key]);
}

/** Timestamp, snapshot and targets of one version, by file name. */
export function metadataOf(
  version: number,
  { by = key, expires = LATER }: { readonly by?: Online; readonly expires?: string } = {},
): ReadonlyMap<string, Uint8Array> {
  const signers = each(by);
  const meta = (name: string) => ({ [name]: { version } });
  const timestamp = { _type: 'timestamp', ...common(version, expires), meta: meta('snapshot.json') };
  const snapshot = { _type: 'snapshot', ...common(version), meta: meta('targets.json') };
  const targets = { _type: 'targets', ...common(version), targets: {} };
  return new Map([
    ['timestamp.json', signMetadata(timestamp, [signers.timestamp])],
    [`${version}.snapshot.json`, signMetadata(snapshot, [signers.snapshot])],
    [`${version}.targets.json`, signMetadata(targets, [key])],
  ]);
}

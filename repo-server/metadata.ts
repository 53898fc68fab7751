/** Reads and signs the metadata of one channel, from the operator's side. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import { keyId, type PrivateKey } from '#schema/keys';
import {
  parseMetadata,
  signMetadata,
  type MetadataType,
  type MetadataTypes,
  type Root,
  type SignedMetadata,
} from '#schema/tuf/metadata';
import { countSigners } from '#schema/tuf/verify';
import type { RoleName } from './config.ts';
import { metadataFolder, readIfAny } from './layout.ts';

export const SPEC_VERSION = '1.0.33';

/** The newest metadata of a channel that a client would accept; absent roles were never published. */
export interface ChannelMetadata {
  readonly root: SignedMetadata<Root>;
  readonly timestamp: SignedMetadata<MetadataTypes['timestamp']> | undefined;
  readonly snapshot: SignedMetadata<MetadataTypes['snapshot']> | undefined;
  readonly targets: SignedMetadata<MetadataTypes['targets']> | undefined;
}

/**
 * @param rootsOf the channel whose root counts; a channel that was never published has none of its own
 * @throws IcepkgError `not-found` where that channel has no root
 */
export function readChannel(repository: string, channel: string, rootsOf = channel): ChannelMetadata {
  const folder = join(repository, metadataFolder(channel));
  const root = newestRoot(join(repository, metadataFolder(rootsOf)));
  if (root === undefined) {
    throw new IcepkgError('not-found', `the repository ${repository} has no channel ${channel}`, {
      hint: `Make it with: icepkg repo publish ${repository} --channel ${channel} --key FILE`,
    });
  }
  const timestamp = read(folder, 'timestamp.json', 'timestamp');
  const snapshotVersion = timestamp?.signed.meta['snapshot.json'].version;
  const snapshot = numbered(folder, 'snapshot', snapshotVersion);
  return {
    root,
    timestamp,
    snapshot,
    targets: numbered(folder, 'targets', snapshot?.signed.meta['targets.json']?.version),
  };
}

/** Clients go by the numbered files: where `root.json` lags behind after a kill, they decide. */
function newestRoot(folder: string): SignedMetadata<Root> | undefined {
  let root = read(folder, 'root.json', 'root');
  for (
    let next = root;
    next !== undefined;
    next = read(folder, `${root.signed.version + 1}.root.json`, 'root')
  )
    root = next;
  return root;
}

function numbered<T extends 'snapshot' | 'targets'>(
  folder: string,
  type: T,
  version: number | undefined,
): SignedMetadata<MetadataTypes[T]> | undefined {
  if (version === undefined) return undefined;
  const name = `${version}.${type}.json`;
  const metadata = read(folder, name, type);
  if (metadata !== undefined) return metadata;
  throw new IcepkgError('trust-failed', `${join(folder, name)} is missing`, {
    hint: 'Restore it from a mirror or a backup',
  });
}

function read<T extends MetadataType>(
  folder: string,
  name: string,
  type: T,
): SignedMetadata<MetadataTypes[T]> | undefined {
  const file = join(folder, name);
  const bytes = readIfAny(file);
  return bytes === undefined ? undefined : parseMetadata(bytes, type, file);
}

/** True where enough keys of the role signed, by this root. */
export function isSignedFor(root: Root, role: RoleName, metadata: SignedMetadata<unknown>): boolean {
  return countSigners(metadata, root.keys, root.roles[role]) >= root.roles[role].threshold;
}

/**
 * Signs with those of the keys that the role has.
 * @throws IcepkgError `usage` where they do not reach its threshold
 */
export function signAs(of: SigningRole, signed: object): Uint8Array {
  const { root, role, keys } = of;
  const { keyids, threshold } = root.roles[role];
  const own = uniqueKeys(keys).filter((key) => keyids.includes(keyId(key.public)));
  if (own.length < threshold) {
    throw new IcepkgError('usage', `the role ${role} needs ${threshold} of its keys, ${own.length} given`, {
      hint: `Give the private keys with --key; the role's key ids begin with ${keyids.map((id) => id.slice(0, 8)).join(', ')}`,
      data: { role, threshold, keyids },
    });
  }
  return signMetadata(signed, own);
}

export interface SigningRole {
  readonly root: Root;
  readonly role: RoleName;
  readonly keys: readonly PrivateKey[];
}

export const uniqueKeys = (keys: readonly PrivateKey[]): PrivateKey[] => [
  ...new Map(keys.map((key) => [keyId(key.public), key])).values(),
];

/** What `snapshot.json` and `timestamp.json` say of a file. */
export function metaOf(
  version: number,
  bytes: Uint8Array,
): { version: number; length: number; hashes: { sha256: string } } {
  const digest = createHash('sha256').update(bytes).digest('hex');
  return { version, length: bytes.length, hashes: { sha256: digest } };
}

/** A time as the specification writes it, some days on; whole seconds. */
export function expiryAfter(now: Date, days: number): string {
  const seconds = Math.floor(now.getTime() / 1000) + days * 86_400;
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}

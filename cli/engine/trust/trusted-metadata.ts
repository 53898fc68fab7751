/**
 * What a client trusts of a repository and how it comes to trust more: the detailed client workflow of The
 * Update Framework, specification 1.0.33 section 5, as pure functions over bytes. Each check cites its step.
 */
import * as crypto from 'node:crypto';
import { IcepkgError } from '#schema/error';
import {
  parseMetadata,
  type Delegations,
  type MetaFile,
  type Role,
  type Root,
  type SignedMetadata,
  type Snapshot,
  type Targets,
  type Timestamp,
  type TufKey,
} from '#schema/tuf/metadata';
import { countSigners } from '#schema/tuf/verify';

/** Bytes of a metadata file that are verified and of the kind that `signed` says. */
interface Verified<T> {
  readonly signed: T;
  readonly bytes: Uint8Array;
}

export type TrustedRoot = Verified<Root>;
export type TrustedTimestamp = Verified<Timestamp>;
export type TrustedSnapshot = Verified<Snapshot>;
export type TrustedTargets = Verified<Targets>;

/** Who may sign a targets role: the root for `targets`, a delegating role for all others. */
export interface Delegator {
  readonly keys: Readonly<Record<string, TufKey>>;
  readonly role: Pick<Role, 'keyids' | 'threshold'>;
}

/** 5.2: the root that came by a trusted way still must be signed by its own keys. */
export function trustInitialRoot(bytes: Uint8Array, what: string): TrustedRoot {
  const metadata = parseMetadata(bytes, 'root', what);
  checkThreshold(metadata, metadata.signed.keys, metadata.signed.roles.root, what);
  return { signed: metadata.signed, bytes };
}

/**
 * 5.3.4: signed by a threshold of the old keys and of the new ones (against arbitrary installation by someone
 * who holds less); 5.3.5: exactly one version on (against rollback).
 */
export function trustNextRoot(old: Root, bytes: Uint8Array, what: string): TrustedRoot {
  const metadata = parseMetadata(bytes, 'root', what);
  checkThreshold(metadata, old.keys, old.roles.root, what);
  checkThreshold(metadata, metadata.signed.keys, metadata.signed.roles.root, what);
  if (metadata.signed.version !== old.version + 1) {
    throw rollback(`${what}: has version ${metadata.signed.version}, expected ${old.version + 1}`);
  }
  return { signed: metadata.signed, bytes };
}

/** 5.3.11: a key was taken away from timestamp or snapshot, which ends a fast-forward attack by its holder. */
export function rotatesFloor(before: Root, after: Root): boolean {
  return (['timestamp', 'snapshot'] as const).some((name) => {
    const kept = new Set(after.roles[name].keyids);
    return before.roles[name].keyids.some((id) => !kept.has(id));
  });
}

/** 5.4.2: signatures; 5.4.3: neither the timestamp nor the snapshot it names may go back (rollback). */
export function trustTimestamp(
  root: Root,
  old: Timestamp | undefined,
  bytes: Uint8Array,
  what: string,
): TrustedTimestamp {
  const metadata = parseMetadata(bytes, 'timestamp', what);
  checkThreshold(metadata, root.keys, root.roles.timestamp, what);
  const { signed } = metadata;
  if (old !== undefined) {
    // 5.4.3.1
    if (signed.version < old.version) {
      throw rollback(`${what}: has version ${signed.version}, but version ${old.version} was seen before`);
    }
    // 5.4.3.2
    const names = signed.meta['snapshot.json'].version;
    const floor = old.meta['snapshot.json'].version;
    if (signed.version > old.version && names < floor) {
      throw rollback(`${what}: names snapshot ${names}, but snapshot ${floor} was seen before`);
    }
  }
  return { signed, bytes };
}

/** 5.5.3: signatures; 5.5.5: no targets role may vanish or go back (rollback, mix and match). */
export function trustSnapshot(
  root: Root,
  old: Snapshot | undefined,
  bytes: Uint8Array,
  what: string,
): TrustedSnapshot {
  const metadata = parseMetadata(bytes, 'snapshot', what);
  checkThreshold(metadata, root.keys, root.roles.snapshot, what);
  const { signed } = metadata;
  for (const [name, before] of Object.entries(old?.meta ?? {})) {
    const now = metaOf(signed, name);
    if (now === undefined) throw rollback(`${what}: ${name} has vanished`);
    if (now.version < before.version) {
      throw rollback(
        `${what}: names version ${now.version} of ${name}, but ${before.version} was seen before`,
      );
    }
  }
  return { signed, bytes };
}

/** 5.6.3: signed by those whom the delegator names. */
export function trustTargets(delegator: Delegator, bytes: Uint8Array, what: string): TrustedTargets {
  const metadata = parseMetadata(bytes, 'targets', what);
  checkThreshold(metadata, delegator.keys, delegator.role, what);
  return { signed: metadata.signed, bytes };
}

/** The keys and the threshold of a delegated role. */
export function delegatorOf(delegations: Delegations, role: Delegator['role']): Delegator {
  return { keys: delegations.keys, role };
}

export function metaOf(snapshot: Snapshot, name: string): MetaFile | undefined {
  return Object.hasOwn(snapshot.meta, name) ? snapshot.meta[name] : undefined;
}

/** 5.5.2, 5.6.2: the bytes are those that the parent names (mix and match, tampering by a mirror). */
export function checkMeta(bytes: Uint8Array, meta: Pick<MetaFile, 'length' | 'hashes'>, what: string): void {
  if (meta.length !== undefined && bytes.length !== meta.length) {
    throw new IcepkgError('trust-failed', `${what}: is ${bytes.length} bytes long, expected ${meta.length}`, {
      hint: STALE_MIRROR,
    });
  }
  for (const [algorithm, expected] of knownHashes(meta.hashes, what)) {
    if (crypto.createHash(algorithm).update(bytes).digest('hex') !== expected) {
      throw new IcepkgError('trust-failed', `${what}: its ${algorithm} is not the one that is signed`, {
        hint: STALE_MIRROR,
      });
    }
  }
}

/** The hashes that can be checked. @throws IcepkgError where there are hashes, but none known */
export function knownHashes(
  hashes: Readonly<Record<string, string>> | undefined,
  what: string,
): readonly (readonly [string, string])[] {
  if (hashes === undefined) return [];
  const known = Object.entries(hashes).filter(([name]) => name === 'sha256' || name === 'sha512');
  if (known.length === 0) {
    throw new IcepkgError('trust-failed', `${what}: names neither a sha256 nor a sha512`);
  }
  return known;
}

/** 5.5.4, 5.6.4: the version is the one that the parent names. */
export function checkVersion(actual: number, expected: number, what: string): void {
  if (actual !== expected) {
    throw new IcepkgError('trust-failed', `${what}: has version ${actual}, expected ${expected}`, {
      hint: STALE_MIRROR,
    });
  }
}

/** 5.3.10, 5.4.4, 5.5.6, 5.6.5: expired metadata may hide newer packages (freeze). */
export function checkExpiry(signed: { readonly expires: string }, now: Date, what: string): void {
  if (Date.parse(signed.expires) > now.getTime()) return;
  throw new IcepkgError('trust-expired', `${what}: expired at ${signed.expires}`, {
    hint: `Check the clock (it says ${now.toISOString()}); if it is right, the mirror is stale or the repository must be published anew`,
    data: { expires: signed.expires },
  });
}

function checkThreshold(
  metadata: SignedMetadata<unknown>,
  keys: Readonly<Record<string, TufKey>>,
  role: Pick<Role, 'keyids' | 'threshold'>,
  what: string,
): void {
  const signers = countSigners(metadata, keys, role);
  if (signers >= role.threshold) return;
  throw new IcepkgError(
    'trust-failed',
    `${what}: signed by ${signers} of the ${role.threshold} trusted keys that must sign`,
    {
      hint: 'Check that the trusted root of this repository is the right one; otherwise do not use this mirror',
    },
  );
}

const STALE_MIRROR = 'The mirror is inconsistent: try again later or name another mirror';

const rollback = (message: string): IcepkgError =>
  new IcepkgError('trust-rollback', message, {
    hint: 'The mirror offers older metadata than this machine has seen: use another mirror, or try again later',
  });

/**
 * The ceremony by which a root changes: somebody drafts the next one, the holders of the root keys sign it one after the
 * other, each on a machine of their own, and it is published once enough of the old and of the new keys signed.
 */
import { join } from 'node:path';
import { tufCanonicalJson } from '#schema/canonical-json';
import { IcepkgError } from '#schema/error';
import { keyId, type PrivateKey } from '#schema/keys';
import { countSigners } from '#schema/tuf/verify';
import { parseMetadata, type Root, type SignedMetadata } from '#schema/tuf/metadata';
import { DEFAULT_EXPIRY_DAYS, readRepositoryConfig, ROLES } from './config.ts';
import { channelsOf, DEFAULT_CHANNEL, metadataFolder, readIfAny, writeDurably } from './layout.ts';
import { withLock, type LockOptions } from './lock.ts';
import { expiryAfter, isSignedFor, readChannel } from './metadata.ts';
import {
  addSignatures,
  changeRoles,
  rolesOf,
  rootOf,
  type RolesChange,
  type RolesKeys,
} from './root-metadata.ts';
import { rootsToTake } from './roots.ts';

/** How far a root is signed: by its own keys, and by those of the root before it where there is one. */
export interface RootStanding {
  readonly version: number;
  readonly expires: string;
  readonly roles: Root['roles'];
  readonly signedBy: readonly string[];
  readonly own: { readonly signatures: number; readonly threshold: number };
  readonly previous: { readonly signatures: number; readonly threshold: number } | undefined;
  /** True where it may be published. */
  readonly complete: boolean;
}

/** A first root that nobody signed yet. */
export function draftFirstRoot(
  roles: RolesKeys,
  { days = DEFAULT_EXPIRY_DAYS.root, now = new Date() } = {},
): Uint8Array {
  return unsigned(rootOf(roles, { version: 1, expires: expiryAfter(now, days) }));
}

/** The next root of a repository, which nobody signed yet. Without a change it renews the lifetime. */
export function draftNextRoot(
  repository: string,
  change: RolesChange = {},
  now: Date = new Date(),
): Uint8Array {
  const { expiryDays } = readRepositoryConfig(repository);
  const { signed } = readChannel(repository, DEFAULT_CHANNEL).root;
  const roles = rolesOf(signed);
  for (const role of ROLES) {
    if (roles[role].keys.length === signed.roles[role].keyids.length) continue;
    throw new IcepkgError('usage', `the role ${role} has keys of another kind than ed25519`, {
      hint: 'Change this root with the tool that made it',
    });
  }
  const at = { version: signed.version + 1, expires: expiryAfter(now, expiryDays.root) };
  return unsigned(rootOf(changeRoles(roles, change), at));
}

/**
 * Adds signatures to a draft.
 * @param previous the root before it, which whoever signs on another machine may not have: then any key is taken
 * @throws IcepkgError `usage` where a key belongs to neither root
 */
export function signRoot(draft: Uint8Array, keys: readonly PrivateKey[], previous?: Root): Uint8Array {
  const root = parseMetadata(draft, 'root', 'the draft');
  const signers = [root.signed, ...(previous === undefined ? [] : [previous])];
  const known = new Set(signers.flatMap((of) => of.roles.root.keyids));
  const complete = previous !== undefined || root.signed.version === 1;
  const stranger = keys.map((key) => keyId(key.public)).find((id) => !known.has(id));
  if (complete && stranger !== undefined) {
    throw new IcepkgError('usage', `the key ${stranger.slice(0, 16)} has no part in the role root`, {
      hint: 'Give a root key, of the old root or of the new one',
    });
  }
  return addSignatures(root, keys);
}

export function standingOf(root: SignedMetadata<Root>, previous?: Root): RootStanding {
  const count = (by: Root) => ({
    signatures: countSigners(root, by.keys, by.roles.root),
    threshold: by.roles.root.threshold,
  });
  const own = count(root.signed);
  const before = previous === undefined ? undefined : count(previous);
  const enough = [own, ...(before === undefined ? [] : [before])].every(
    ({ signatures, threshold }) => signatures >= threshold,
  );
  const { version, expires, roles } = root.signed;
  const signedBy = root.signatures.map(({ keyid }) => keyid);
  return { version, expires, roles, signedBy, own, previous: before, complete: enough };
}

/** The newest root of a repository. */
export const currentRoot = (repository: string): SignedMetadata<Root> =>
  readChannel(repository, DEFAULT_CHANNEL).root;

/** @throws IcepkgError `not-found` */
export function readRootFile(file: string): Uint8Array {
  const bytes = readIfAny(file);
  if (bytes !== undefined) return bytes;
  throw new IcepkgError('not-found', `${file}: no root is there`, {
    hint: 'Write one with: icepkg repo root draft',
  });
}

export interface PublishRootOptions extends LockOptions {
  readonly now?: Date;
}

/**
 * Writes the next root to every channel. Clients follow on their own; publish afterwards, so that the other roles are
 * signed by their new keys. The same root twice finishes what was interrupted.
 * @throws IcepkgError `trust-failed` where it is not the next one or not signed enough
 */
export async function publishRoot(
  repository: string,
  bytes: Uint8Array,
  options: PublishRootOptions = {},
): Promise<RootStanding> {
  readRepositoryConfig(repository);
  return withLock(
    repository,
    () => {
      const root = parseMetadata(bytes, 'root', 'the new root');
      const { version } = root.signed;
      const present = readIfAny(rootFile(repository, DEFAULT_CHANNEL, version));
      if (present !== undefined && Buffer.compare(present, bytes) === 0) copyRoots(repository);
      else {
        const before = currentRoot(repository).signed;
        checkNext(root, before, options.now ?? new Date());
        writeRoot(repository, { channel: DEFAULT_CHANNEL, version, bytes });
        copyRoots(repository);
      }
      return standingOf(root);
    },
    options,
  );
}

/** @throws IcepkgError `trust-failed` or `trust-expired` */
function checkNext(root: SignedMetadata<Root>, before: Root, now: Date): void {
  const { version, expires } = root.signed;
  if (version !== before.version + 1) {
    throw new IcepkgError(
      'trust-failed',
      `the root is version ${version}; the next one is ${before.version + 1}`,
      {
        hint: 'Draft it anew: icepkg repo root draft',
      },
    );
  }
  if (Date.parse(expires) <= now.getTime())
    throw new IcepkgError('trust-expired', `the root expired at ${expires}`, { hint: 'Draft it anew' });
  for (const [by, whose] of [
    [before, 'old'],
    [root.signed, 'new'],
  ] as const) {
    if (isSignedFor(by, 'root', root)) continue;
    const { threshold, keyids } = by.roles.root;
    const signatures = countSigners(root, by.keys, by.roles.root);
    throw new IcepkgError(
      'trust-failed',
      `${signatures} of ${threshold} ${whose} root keys signed the root`,
      {
        hint: `Have it signed with icepkg repo root sign; the ${whose} key ids begin with ${keyids.map((id) => id.slice(0, 8)).join(', ')}`,
      },
    );
  }
}

interface RootFile {
  readonly channel: string;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** Writes the numbered root and the newest one. Returns the path of the first. */
export function writeRoot(repository: string, { channel, version, bytes }: RootFile): string {
  const file = rootFile(repository, channel, version);
  writeDurably(file, bytes);
  writeDurably(join(repository, metadataFolder(channel), 'root.json'), bytes);
  return file;
}

const rootFile = (repository: string, channel: string, version: number): string =>
  join(repository, metadataFolder(channel), `${version}.root.json`);

/** The default channel comes first: what others lack after a kill, they take from it with the next publish. */
function copyRoots(repository: string): void {
  for (const channel of channelsOf(repository))
    for (const [path, root] of rootsToTake(repository, channel)) writeDurably(join(repository, path), root);
}

const unsigned = (signed: object): Uint8Array =>
  addSignatures({ signed, signatures: [], signedBytes: tufCanonicalJson(signed) }, []);

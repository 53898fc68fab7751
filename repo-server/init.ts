/** Makes a repository: its configuration and the first root, which says who may sign what. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import { keyId, type PrivateKey, type PublicKey } from '#schema/keys';
import { signMetadata, type Root } from '#schema/tuf/metadata';
import {
  DEFAULT_EXPIRY_DAYS,
  readRepositoryConfig,
  ROLES,
  writeRepositoryConfig,
  type ExpiryDays,
  type RoleName,
} from './config.ts';
import {
  channelsOf,
  CONFIG_FILE,
  DEFAULT_CHANNEL,
  doing,
  makeFolder,
  metadataFolder,
  writeDurably,
} from './layout.ts';
import { withLock } from './lock.ts';
import { expiryAfter, readChannel, SPEC_VERSION, uniqueKeys } from './metadata.ts';
import { rootsToTake } from './roots.ts';

/** Who may sign for a role, and how many of them must. */
export interface RoleKeys {
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
}
export type RolesKeys = Readonly<Record<RoleName, RoleKeys>>;

export interface InitRepositoryOptions {
  readonly name: string;
  readonly roles: RolesKeys;
  /** Private keys that sign the first root: as many of the root role's as its threshold asks. */
  readonly keys: readonly PrivateKey[];
  readonly expiryDays?: Partial<ExpiryDays>;
  readonly now?: Date;
}

export interface InitializedRepository {
  readonly repository: string;
  readonly name: string;
  /** What clients must get by a trusted way. */
  readonly trustedRoot: string;
}

/** One key, or one set of keys, for all roles. */
export function sameKeys(keys: readonly PublicKey[], threshold = 1): RolesKeys {
  const role = { keys, threshold };
  return { root: role, targets: role, snapshot: role, timestamp: role };
}

/** @throws IcepkgError `usage` where the folder is a repository already, or keys do not suffice */
export async function initRepository(
  repository: string,
  options: InitRepositoryOptions,
): Promise<InitializedRepository> {
  const { name, roles, keys, now = new Date() } = options;
  if (fs.existsSync(join(repository, CONFIG_FILE))) {
    throw new IcepkgError('usage', `${repository} is a repository already`, {
      hint: 'Choose another folder, or add packages with: icepkg repo add',
    });
  }
  const expiryDays = { ...DEFAULT_EXPIRY_DAYS, ...options.expiryDays };
  const root = rootOf(roles, { version: 1, expires: expiryAfter(now, expiryDays.root) });
  const bytes = signRoot(root, [roles.root], keys);
  doing(repository, () => makeFolder(repository));
  return withLock(repository, () => {
    const trustedRoot = writeRoot(repository, { channel: DEFAULT_CHANNEL, version: 1, bytes });
    makeFolder(join(repository, 'packages'));
    // Last: with its configuration in place the folder is a repository, before that it is none.
    writeRepositoryConfig(repository, { format: 1, name, expiryDays });
    return { repository, name, trustedRoot };
  });
}

export interface RotateRootOptions {
  readonly roles: RolesKeys;
  /** Private keys of the old root role and of the new one, each up to its threshold. */
  readonly keys: readonly PrivateKey[];
  readonly now?: Date;
}

/**
 * Writes the next root, signed by the old and the new keys, to every channel. Clients follow on their own;
 * publish afterwards, so that the other roles are signed by their new keys.
 */
export async function rotateRoot(
  repository: string,
  options: RotateRootOptions,
): Promise<{ readonly version: number }> {
  return withLock(repository, () => {
    const { expiryDays } = readRepositoryConfig(repository);
    const previous = readChannel(repository, DEFAULT_CHANNEL).root.signed;
    const version = previous.version + 1;
    const expires = expiryAfter(options.now ?? new Date(), expiryDays.root);
    const root = rootOf(options.roles, { version, expires });
    const bytes = signRoot(root, [roleKeysOf(previous, 'root'), options.roles.root], options.keys);
    // The default channel first: what others lack after a kill, they take from it with the next publish.
    writeRoot(repository, { channel: DEFAULT_CHANNEL, version, bytes });
    for (const channel of channelsOf(repository)) {
      for (const [path, root] of rootsToTake(repository, channel)) writeDurably(join(repository, path), root);
    }
    return { version };
  });
}

/** A role of a root as `RoleKeys`. */
export function roleKeysOf(root: Root, role: RoleName): RoleKeys {
  const { keyids, threshold } = root.roles[role];
  const keys = keyids.flatMap((id) => {
    const key = root.keys[id];
    return key?.keytype === 'ed25519' && key.scheme === 'ed25519'
      ? [{ keytype: key.keytype, scheme: key.scheme, keyval: { public: key.keyval.public } } as const]
      : [];
  });
  return { keys, threshold };
}

function rootOf(roles: RolesKeys, at: { readonly version: number; readonly expires: string }): object {
  const keys: Record<string, PublicKey> = {};
  const table: Record<string, { keyids: string[]; threshold: number }> = {};
  for (const role of ROLES) {
    const ids = new Set<string>();
    for (const key of roles[role].keys) {
      keys[keyId(key)] = key;
      ids.add(keyId(key));
    }
    const { threshold } = roles[role];
    if (!Number.isSafeInteger(threshold) || threshold < 1 || threshold > ids.size) {
      throw new IcepkgError('usage', `the role ${role} has ${ids.size} keys, its threshold is ${threshold}`, {
        hint: 'A threshold is at least 1 and at most the number of different keys',
      });
    }
    table[role] = { keyids: [...ids].sort(), threshold };
  }
  return { _type: 'root', spec_version: SPEC_VERSION, ...at, consistent_snapshot: true, keys, roles: table };
}

/** Signs for each of the root roles given: the new one, and on rotation the old one. */
function signRoot(root: object, roles: readonly RoleKeys[], keys: readonly PrivateKey[]): Uint8Array {
  const wanted = new Set<string>();
  const given = new Map(uniqueKeys(keys).map((key) => [keyId(key.public), key]));
  for (const role of roles) {
    const own = [...new Set(role.keys.map(keyId))].filter((id) => given.has(id));
    if (own.length < role.threshold) {
      throw new IcepkgError(
        'usage',
        `the role root needs ${role.threshold} of its keys, ${own.length} given`,
        {
          hint: 'Give the private keys of the root role; on rotation the old ones and the new ones',
        },
      );
    }
    for (const id of own) wanted.add(id);
  }
  return signMetadata(
    root,
    [...wanted].sort().flatMap((id) => given.get(id) ?? []),
  );
}

interface RootFile {
  readonly channel: string;
  readonly version: number;
  readonly bytes: Uint8Array;
}

function writeRoot(repository: string, { channel, version, bytes }: RootFile): string {
  const folder = join(repository, metadataFolder(channel));
  const file = join(folder, `${version}.root.json`);
  writeDurably(file, bytes);
  writeDurably(join(folder, 'root.json'), bytes);
  return file;
}

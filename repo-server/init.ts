/** Makes a repository: its configuration and the first root, which says who may sign what. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { tufCanonicalJson } from '#schema/canonical-json';
import { IcepkgError } from '#schema/error';
import { keyId, type PrivateKey, type PublicKey } from '#schema/keys';
import { parseMetadata } from '#schema/tuf/metadata';
import {
  DEFAULT_EXPIRY_DAYS,
  readRepositoryConfig,
  writeRepositoryConfig,
  type ExpiryDays,
} from './config.ts';
import { CONFIG_FILE, DEFAULT_CHANNEL, doing, makeFolder } from './layout.ts';
import { withLock } from './lock.ts';
import { expiryAfter, isSignedFor, uniqueKeys } from './metadata.ts';
import { currentRoot, publishRoot, writeRoot } from './root-change.ts';
import { addSignatures, rolesOf, rootOf, type RoleKeys, type RolesKeys } from './root-metadata.ts';

interface CommonOptions {
  readonly name: string;
  readonly expiryDays?: Partial<ExpiryDays>;
}

export interface InitRepositoryOptions extends CommonOptions {
  readonly roles: RolesKeys;
  /** Private keys that sign the first root: as many of the root role's as its threshold asks. */
  readonly keys: readonly PrivateKey[];
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
  const { roles, keys, now = new Date() } = options;
  const { root: days } = { ...DEFAULT_EXPIRY_DAYS, ...options.expiryDays };
  const root = rootOf(roles, { version: 1, expires: expiryAfter(now, days) });
  return initFromRoot(repository, { ...options, root: signWith(root, [roles.root], keys) });
}

/**
 * Makes a repository with a first root that its holders signed.
 * @throws IcepkgError `usage` where the folder is a repository already, `trust-failed` where not enough signed
 */
export async function initFromRoot(
  repository: string,
  options: CommonOptions & { readonly root: Uint8Array },
): Promise<InitializedRepository> {
  const { name, root: bytes } = options;
  if (fs.existsSync(join(repository, CONFIG_FILE))) {
    throw new IcepkgError('usage', `${repository} is a repository already`, {
      hint: 'Choose another folder, or add packages with: icepkg repo add',
    });
  }
  const root = parseMetadata(bytes, 'root', 'the first root');
  if (root.signed.version !== 1 || !isSignedFor(root.signed, 'root', root)) {
    throw new IcepkgError(
      'trust-failed',
      'the first root must be version 1, signed by enough of its own keys',
      {
        hint: 'Have it signed with: icepkg repo root sign',
      },
    );
  }
  const expiryDays = { ...DEFAULT_EXPIRY_DAYS, ...options.expiryDays };
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

/** Writes the next root with all signatures at once, where one person has all the keys. */
export async function rotateRoot(
  repository: string,
  options: RotateRootOptions,
): Promise<{ readonly version: number }> {
  const { expiryDays } = readRepositoryConfig(repository);
  const previous = currentRoot(repository).signed;
  const version = previous.version + 1;
  const expires = expiryAfter(options.now ?? new Date(), expiryDays.root);
  const root = rootOf(options.roles, { version, expires });
  await publishRoot(
    repository,
    signWith(root, [rolesOf(previous).root, options.roles.root], options.keys),
    options.now === undefined ? {} : { now: options.now },
  );
  return { version };
}

/** Signs for each of the root roles given: the new one, and on rotation the old one. */
function signWith(root: object, roles: readonly RoleKeys[], keys: readonly PrivateKey[]): Uint8Array {
  const wanted = new Map<string, PrivateKey>();
  const given = new Map(uniqueKeys(keys).map((key) => [keyId(key.public), key]));
  for (const role of roles) {
    const own = [...new Set(role.keys.map(keyId))].flatMap((id) => given.get(id) ?? []);
    if (own.length < role.threshold) {
      throw new IcepkgError(
        'usage',
        `the role root needs ${role.threshold} of its keys, ${own.length} given`,
        {
          hint: 'Give the private keys of the root role; on rotation the old ones and the new ones',
        },
      );
    }
    for (const key of own) wanted.set(keyId(key.public), key);
  }
  const signed = { signed: root, signatures: [], signedBytes: tufCanonicalJson(root) };
  return addSignatures(signed, [...wanted.values()]);
}

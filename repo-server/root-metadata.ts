/** The root of trust as data: who may sign for which role, what a change makes of that, and who signed it. */
import { IcepkgError } from '#schema/error';
import { keyId, sign, type PrivateKey, type PublicKey } from '#schema/keys';
import { canonicalJson } from '#schema/canonical-json';
import type { Root, SignedMetadata } from '#schema/tuf/metadata';
import { ROLES, type RoleName } from './config.ts';
import { SPEC_VERSION } from './metadata.ts';

/** Who may sign for a role, and how many of them must. */
export interface RoleKeys {
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
}
export type RolesKeys = Readonly<Record<RoleName, RoleKeys>>;

/** A role of a root as `RoleKeys`. */
function roleKeysOf(root: Root, role: RoleName): RoleKeys {
  const { keyids, threshold } = root.roles[role];
  const keys = keyids.flatMap((id) => {
    const key = root.keys[id];
    return key?.keytype === 'ed25519' && key.scheme === 'ed25519'
      ? [{ keytype: key.keytype, scheme: key.scheme, keyval: { public: key.keyval.public } } as const]
      : [];
  });
  return { keys, threshold };
}

export const rolesOf = (root: Root): RolesKeys => ({
  root: roleKeysOf(root, 'root'),
  targets: roleKeysOf(root, 'targets'),
  snapshot: roleKeysOf(root, 'snapshot'),
  timestamp: roleKeysOf(root, 'timestamp'),
});

/** The `signed` part of a root. @throws IcepkgError `usage` where nobody can reach a threshold */
export function rootOf(roles: RolesKeys, at: { readonly version: number; readonly expires: string }): object {
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

/** What an operator changes about who may sign. Keys are named by their ids. */
export interface RolesChange {
  /** The new key takes the place of the old one in every role that it has. */
  readonly replace?: readonly { readonly old: string; readonly by: PublicKey }[];
  /** Out of every role. */
  readonly revoke?: readonly string[];
  readonly add?: readonly { readonly role: RoleName; readonly key: PublicKey }[];
  readonly thresholds?: Readonly<Partial<Record<RoleName, number>>>;
}

/** @throws IcepkgError `usage` where a key has no role */
export function changeRoles(roles: RolesKeys, change: RolesChange): RolesKeys {
  const { replace = [], revoke = [], add = [], thresholds = {} } = change;
  const known = new Set(ROLES.flatMap((role) => roles[role].keys.map(keyId)));
  for (const id of [...replace.map(({ old }) => old), ...revoke]) {
    if (known.has(id)) continue;
    throw new IcepkgError('usage', `the key ${id.slice(0, 16)} signs for no role`, {
      hint: 'See which keys do: icepkg repo root show REPOSITORY',
    });
  }
  const changed = (role: RoleName): RoleKeys => {
    const kept = roles[role].keys.flatMap((key) => {
      const id = keyId(key);
      if (revoke.includes(id)) return [];
      return [replace.find(({ old }) => old === id)?.by ?? key];
    });
    const added = add.filter((of) => of.role === role).map(({ key }) => key);
    return { keys: [...kept, ...added], threshold: thresholds[role] ?? roles[role].threshold };
  };
  return {
    root: changed('root'),
    targets: changed('targets'),
    snapshot: changed('snapshot'),
    timestamp: changed('timestamp'),
  };
}

/** The same metadata with one more signature of each key; a second one of the same key takes the place of the first. */
export function addSignatures(
  { signed, signatures, signedBytes }: SignedMetadata<object>,
  keys: readonly PrivateKey[],
): Uint8Array {
  const all = new Map(signatures.map((of) => [of.keyid, of.sig]));
  for (const key of keys) all.set(keyId(key.public), sign(key, signedBytes));
  const list = [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([keyid, sig]) => ({ keyid, sig }));
  return canonicalJson({ signatures: list, signed });
}

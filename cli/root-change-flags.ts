/** The flags that say what changes about who may sign, and how a root is shown. */
import type { RolesChange } from '#repo-server/root-metadata';
import type { RootStanding } from '#repo-server/root-change';
import { IcepkgError } from '#schema/error';
import type { PublicKey } from '#schema/keys';
import type { Root } from '#schema/tuf/metadata';
import { Flags } from './oclif.ts';
import { tableText } from './table.ts';

const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
type RoleName = (typeof ROLES)[number];

export const rootChangeFlags = {
  replace: Flags.string({
    multiple: true,
    helpValue: 'OLD=NEW',
    summary: 'put a new key in the place of an old one, in every role that it has',
  }),
  revoke: Flags.string({ multiple: true, helpValue: 'KEY', summary: 'take a key out of every role' }),
  add: Flags.string({ multiple: true, helpValue: 'ROLE=KEY', summary: 'give a role one more key' }),
  threshold: Flags.string({
    multiple: true,
    helpValue: 'ROLE=N',
    summary: 'how many keys of a role must sign',
  }),
};

export interface RootChangeFlagValues {
  readonly replace?: string[] | undefined;
  readonly revoke?: string[] | undefined;
  readonly add?: string[] | undefined;
  readonly threshold?: string[] | undefined;
}

/** @param root whose keys may be named by the beginning of their ids. @throws IcepkgError `usage` */
export async function rootChangeFromFlags(flags: RootChangeFlagValues, root: Root): Promise<RolesChange> {
  const { describeKeyFile } = await import('#repo-server/key-files');
  const publicKey = (file: string): PublicKey => describeKeyFile(file).public;
  const idOf = (key: string): string => {
    const ids = /^[0-9a-f]{8,64}$/.test(key) ? Object.keys(root.keys).filter((id) => id.startsWith(key)) : [];
    if (ids.length > 1)
      throw new IcepkgError('usage', `several key ids begin with ${key}`, { hint: 'Give more of it' });
    return ids[0] ?? describeKeyFile(key).keyid;
  };
  return {
    replace: (flags.replace ?? []).map((text) => {
      const [old, by] = pair(text, 'OLD=NEW');
      return { old: idOf(old), by: publicKey(by) };
    }),
    revoke: (flags.revoke ?? []).map(idOf),
    add: (flags.add ?? []).map((text) => {
      const [role, key] = pair(text, 'ROLE=KEY');
      return { role: roleName(role), key: publicKey(key) };
    }),
    thresholds: Object.fromEntries(
      (flags.threshold ?? []).map((text) => {
        const [role, count] = pair(text, 'ROLE=N');
        return [roleName(role), Number(count)];
      }),
    ),
  };
}

function pair(text: string, form: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new IcepkgError('usage', `${JSON.stringify(text)} is not of the form ${form}`, {
    hint: 'See the examples: icepkg repo root change --help',
  });
}

function roleName(text: string): RoleName {
  const role = ROLES.find((name) => name === text);
  if (role !== undefined) return role;
  throw new IcepkgError('usage', `${JSON.stringify(text)} is no role`, {
    hint: `Roles are ${ROLES.join(', ')}`,
  });
}

/** What a root says and how far it is signed. */
export function standingText({ version, expires, roles, own, previous, complete }: RootStanding): string {
  const rows = ROLES.map((role) => [
    `  ${role}`,
    `${roles[role].threshold} of ${roles[role].keyids.length}`,
    roles[role].keyids.map((id) => id.slice(0, 16)).join(' '),
  ]);
  const old =
    previous === undefined ? '' : `, of the old ones ${previous.signatures} of ${previous.threshold}`;
  const signed = `signatures of its own root keys: ${own.signatures} of ${own.threshold}${old}`;
  return `root ${version}, good until ${expires}\n${tableText(rows)}\n${signed}${complete ? '' : '; more are needed'}`;
}

/**
 * Users and groups that packages declare, worked into the texts of the account files. An account that is there stays
 * as it is, whoever made it; nothing is ever taken away, because files of the account may outlive its package.
 */
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import type { DeclaredGroup, DeclaredUser } from '#schema/manifest';
import { accountLines, hasLine, withLine, withMember, type AccountTexts } from './account-lines.ts';

/** What one package declares. */
export interface AccountDeclaration {
  readonly package: string;
  readonly users: readonly DeclaredUser[];
  readonly groups: readonly DeclaredGroup[];
}

export interface Accounts {
  readonly texts: AccountTexts;
  readonly uid: (name: string) => number | undefined;
  readonly gid: (name: string) => number | undefined;
}

/** Ids of accounts that ask for none in particular. */
const FIRST_SYSTEM_ID = 100;
const LAST_SYSTEM_ID = 999;

interface Wanted {
  readonly name: string;
  readonly package: string;
  readonly id: number | undefined;
}

interface Work {
  readonly texts: { -readonly [file in keyof AccountTexts]: AccountTexts[file] };
  readonly uids: Map<string, number>;
  readonly gids: Map<string, number>;
  readonly primary: Map<string, number>;
}

/**
 * The same texts and declarations give the same ids, whatever the order of the declarations.
 * @throws IcepkgError `file-conflict` naming both that claim an id, `config-invalid` for a line that is none
 */
export function planAccounts(texts: AccountTexts, declarations: readonly AccountDeclaration[]): Accounts {
  const passwd = accountLines('passwd', texts.passwd ?? '');
  const work: Work = {
    texts: { ...texts },
    uids: new Map(passwd.map(({ name, id }) => [name, id])),
    gids: new Map(accountLines('group', texts.group ?? '').map(({ name, id }) => [name, id])),
    primary: new Map(passwd.map(({ name, fields }) => [name, Number(fields[3])])),
  };
  const users = declarations
    .flatMap((from) => from.users.map((user) => ({ user, package: from.package })))
    .sort((a, b) => compare(a.user.name, b.user.name) || compare(a.package, b.package));
  const wantedUsers = users.map(({ user, package: owner }) => ({
    name: user.name,
    package: owner,
    id: user.uid,
  }));
  const newUids = assign('user', work.uids, wantedUsers);
  for (const [name, gid] of assign('group', work.gids, wantedGroups(work, declarations, users)))
    addGroup(work, name, gid);
  for (const { user } of users) {
    const uid = newUids.get(user.name);
    if (uid !== undefined && !work.primary.has(user.name)) addUser(work, user, uid);
    for (const group of user.groups ?? []) addMember(work, group, user.name);
  }
  return { texts: work.texts, uid: (name) => work.uids.get(name), gid: (name) => work.gids.get(name) };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Declared groups, and every group that a user names: its own, which has its number where that is free, and others. */
function wantedGroups(
  work: Work,
  declarations: readonly AccountDeclaration[],
  users: readonly { readonly user: DeclaredUser; readonly package: string }[],
): readonly Wanted[] {
  const declared = declarations.flatMap((from) =>
    from.groups.map(({ name, gid }) => ({ name, package: from.package, id: gid })),
  );
  const named = users.flatMap(({ user, package: owner }) =>
    [user.group ?? user.name, ...(user.groups ?? [])].map((name) => ({
      name,
      package: owner,
      id: undefined,
    })),
  );
  const taken = new Set([...work.gids.values(), ...declared.map(({ id }) => id)]);
  const asUser = users.flatMap(({ user, package: owner }): Wanted[] => {
    if (user.group !== undefined || declared.some(({ name, id }) => name === user.name && id !== undefined))
      return [];
    const id = work.uids.get(user.name);
    return id === undefined || taken.has(id) || work.gids.has(user.name)
      ? []
      : [{ name: user.name, package: owner, id }];
  });
  return [...declared, ...asUser, ...named];
}

/** Gives every name an id: its own, the one that is asked for, or a free one. Returns the new ones, in order. */
function assign(
  kind: 'user' | 'group',
  ids: Map<string, number>,
  wanted: readonly Wanted[],
): ReadonlyMap<string, number> {
  const holders = new Map([...ids].map(([name, id]) => [id, { name, by: `etc/${FILE[kind]}` }]));
  const by = new Map([...ids.keys()].map((name) => [name, `etc/${FILE[kind]}`]));
  const added = new Map<string, number>();
  const add = (one: Wanted, id: number): void => {
    ids.set(one.name, id);
    added.set(one.name, id);
    by.set(one.name, one.package);
    holders.set(id, { name: one.name, by: one.package });
  };
  for (const one of wanted) {
    if (one.id === undefined) continue;
    const has = ids.get(one.name);
    if (has !== undefined && has !== one.id) {
      throw claimed(
        `${kind} ${one.name}: ${one.package} wants number ${one.id}, ${by.get(one.name) ?? ''} has ${has}`,
      );
    }
    if (has !== undefined) continue;
    const holder = holders.get(one.id);
    if (holder !== undefined) {
      throw claimed(
        `${kind} ${one.name}: ${one.package} wants number ${one.id}, which ${holder.name} of ${holder.by} has`,
      );
    }
    add(one, one.id);
  }
  for (const one of [...wanted].sort((a, b) => compare(a.name, b.name)))
    if (!ids.has(one.name)) add(one, freeId(one, holders));
  return added;
}

const FILE = { user: 'passwd', group: 'group' } as const;

const claimed = (message: string): IcepkgError =>
  new IcepkgError('file-conflict', message, {
    hint: 'Give the account in the root the number that is wanted, or leave the package out',
  });

/** Starts at a place that follows from the name, so that an account has mostly the same id on every machine. */
function freeId({ name, package: owner }: Wanted, holders: ReadonlyMap<number, unknown>): number {
  const count = LAST_SYSTEM_ID - FIRST_SYSTEM_ID + 1;
  const start = Number.parseInt(sha256(Buffer.from(name)).slice(0, 8), 16) % count;
  for (let step = 0; step < count; step++) {
    const id = FIRST_SYSTEM_ID + ((start + step) % count);
    if (!holders.has(id)) return id;
  }
  throw new IcepkgError(
    'file-conflict',
    `no number from ${FIRST_SYSTEM_ID} to ${LAST_SYSTEM_ID} is free for ${name} of ${owner}`,
    { hint: 'Remove accounts that nobody needs from /etc/passwd and /etc/group' },
  );
}

function addGroup({ texts }: Work, name: string, gid: number): void {
  texts.group = withLine(texts.group ?? '', `${name}:x:${gid}:`);
  if (texts.gshadow !== undefined && !hasLine(texts.gshadow, name))
    texts.gshadow = withLine(texts.gshadow, `${name}:!::`);
}

/** No password opens the account. */
function addUser(work: Work, user: DeclaredUser, uid: number): void {
  const { texts } = work;
  const gid = work.gids.get(user.group ?? user.name) ?? uid;
  const { gecos = '', home = '/nonexistent', shell = '/sbin/nologin' } = user;
  for (const text of [gecos, home, shell]) {
    if (!text.includes(':')) continue;
    throw new IcepkgError('package-corrupt', `user ${user.name}: a colon in ${JSON.stringify(text)}`, {
      hint: 'Ask whoever made the package to mend it',
    });
  }
  const line = [user.name, 'x', uid, gid, gecos, home, shell].join(':');
  texts.passwd = withLine(texts.passwd ?? '', Buffer.from(line).toString('latin1'));
  texts.shadow ??= '';
  if (!hasLine(texts.shadow, user.name)) texts.shadow = withLine(texts.shadow, `${user.name}:!:::::::`);
  work.primary.set(user.name, gid);
}

function addMember({ texts }: Work, group: string, user: string): void {
  texts.group = withMember(texts.group ?? '', group, user);
  if (texts.gshadow !== undefined) texts.gshadow = withMember(texts.gshadow, group, user);
}

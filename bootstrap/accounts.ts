/** The people of an image: accounts, password hashes and the keys that may log in. */
import * as fs from 'node:fs';
import { accountLines, type AccountTexts } from '#engine/declared/account-lines';
import { planAccounts } from '#engine/declared/accounts';
import { IcepkgError } from '#schema/error';
import type { DeclaredUser } from '#schema/manifest';
import type { ImageUser } from './definition-schema.ts';
import type { PathFacts } from './overlay.ts';
import { makeFolderInRoot, placeInRoot, writeInRoot } from './root-path.ts';

const FILES = ['passwd', 'group', 'shadow', 'gshadow'] as const;
/** What is written where there are users. */
export const ACCOUNT_FILES: readonly string[] = FILES.map((name) => `etc/${name}`);
const FIRST_ID = 1000;

/**
 * Works the users into the account files and makes their homes.
 * @returns owners and modes of what was made
 * @throws IcepkgError `format-invalid` where an account that packages brought has another number
 */
export function applyUsers(root: string, users: readonly ImageUser[]): Map<string, PathFacts> {
  const facts = new Map<string, PathFacts>([['etc/shadow', { ...ROOT, mode: 0o600 }]]);
  if (users.length === 0) return new Map();
  const texts = readTexts(root);
  const {
    texts: planned,
    uid,
    gid,
  } = planAccounts(texts, [{ package: 'the image definition', users: declared(users, texts), groups: [] }]);
  const shadow = users.reduce(
    (text, { name, passwordHash }) =>
      passwordHash === undefined ? text : withHash(text, name, passwordHash),
    planned.shadow ?? '',
  );
  for (const [name, text] of Object.entries({ ...planned, shadow }))
    if (text !== undefined) writeInRoot(root, `etc/${name}`, text, 'latin1');
  const homes = new Map(
    accountLines('passwd', planned.passwd ?? '').map(({ name, fields }) => [name, fields[5]]),
  );
  for (const { name, sshKeys = [] } of users) {
    const home = (homes.get(name) ?? '/').replace(/^\/+/, '');
    if (home === '' || home === 'nonexistent') continue;
    const ids = { uid: uid(name) ?? 0, gid: gid(name) ?? 0 };
    const folder = (relative: string, mode: number): void => {
      facts.set(makeFolderInRoot(root, relative), { owner: ids, account: {}, mode });
    };
    folder(home, 0o700);
    if (sshKeys.length === 0) continue;
    folder(`${home}/.ssh`, 0o700);
    const keys = writeInRoot(root, `${home}/.ssh/authorized_keys`, `${sshKeys.join('\n')}\n`);
    facts.set(keys, { owner: ids, account: {}, mode: 0o600 });
  }
  return facts;
}

const ROOT = { owner: {}, account: {} } as const;

/** People get numbers from 1000 on, in the order of the definition. */
function declared(users: readonly ImageUser[], texts: AccountTexts): DeclaredUser[] {
  const lines = accountLines('passwd', texts.passwd ?? '');
  const taken = new Set([...lines.map(({ id }) => id), ...users.flatMap(({ uid }) => uid ?? [])]);
  let next = FIRST_ID;
  return users.map(({ name, uid, gecos, home, shell, groups }) => {
    const there = lines.find((line) => line.name === name);
    if (there !== undefined && uid !== undefined && there.id !== uid)
      throw new IcepkgError('format-invalid', `user ${name} has number ${there.id} already, not ${uid}`, {
        hint: 'Leave out uid for accounts that packages bring',
      });
    while (taken.has(next)) next++;
    const id = uid ?? there?.id ?? next;
    taken.add(id);
    return {
      name,
      uid: id,
      home: home ?? `/home/${name}`,
      shell: shell ?? '/bin/sh',
      ...(gecos === undefined ? {} : { gecos }),
      ...(groups === undefined ? {} : { groups: [...groups] }),
    };
  });
}

function readTexts(root: string): AccountTexts {
  const read = (name: string): string | undefined => {
    const file = placeInRoot(root, `etc/${name}`);
    const isFile = fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() === true;
    return isFile ? fs.readFileSync(file, 'latin1') : undefined;
  };
  const [passwd, group, shadow, gshadow] = FILES.map(read);
  return { passwd, group, shadow, gshadow };
}

const withHash = (text: string, name: string, hash: string): string =>
  text
    .split('\n')
    .map((line) => {
      const fields = line.split(':');
      return fields[0] === name ? [name, hash, ...fields.slice(2)].join(':') : line;
    })
    .join('\n');

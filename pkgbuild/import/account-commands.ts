/** Commands that make accounts, of BusyBox and of shadow, as declarations. */
import type { DeclaredUser } from '#schema/manifest';

/** What a command makes. */
export interface MadeAccount {
  readonly user?: DeclaredUser;
  readonly group?: Group;
  readonly joins?: { readonly user: string; readonly group: string };
}

/** A command that makes an account of the system; `undefined` for every other one. */
export function accountOf([command = '', ...words]: readonly string[]): MadeAccount | undefined {
  switch (command) {
    case 'addgroup':
    case 'adduser':
      return busyboxAccount(command, words);
    case 'groupadd':
      return shadowGroup(readOptions(words, 'gK'));
    case 'useradd':
      return shadowUser(readOptions(words, 'bcdegGKpsuk'));
    case 'usermod':
    case 'gpasswd':
      return membership(command, readOptions(words, command === 'usermod' ? 'G' : 'a'));
    default:
      return undefined;
  }
}

function busyboxAccount(command: string, words: readonly string[]): MadeAccount | undefined {
  const read = readOptions(words, command === 'adduser' ? 'hgsGuk' : 'g');
  const [name, group] = read.names;
  if (name === undefined || read.names.length > 2) return undefined;
  if (group !== undefined && group !== name) return { joins: { user: name, group } };
  // A person's account is no part of a package.
  if (!read.flags.has('S')) return undefined;
  if (command === 'addgroup') return { group: groupWith(name, read.values['g']) };
  const { h: home, g: gecos, s: shell, G: primary, u: uid } = read.values;
  return { user: userWith(name, { uid, group: primary, gecos, home, shell }) };
}

function shadowGroup({ flags, values, names }: ReadOptions): MadeAccount | undefined {
  const [name] = names;
  const isSystem = flags.has('r') || values['g'] !== undefined;
  return name !== undefined && names.length === 1 && isSystem
    ? { group: groupWith(name, values['g']) }
    : undefined;
}

function shadowUser({ flags, values, names }: ReadOptions): MadeAccount | undefined {
  const [name] = names;
  if (name === undefined || names.length !== 1 || !(flags.has('r') || values['u'] !== undefined))
    return undefined;
  const { d: home, c: gecos, s: shell, g: group, u: uid, G: groups } = values;
  const user = userWith(name, { uid, group, gecos, home, shell });
  return { user: groups === undefined ? user : { ...user, groups: groups.split(',') } };
}

function membership(command: string, { values, names }: ReadOptions): MadeAccount | undefined {
  const [name = ''] = names;
  const [user, group] = command === 'usermod' ? [name, values['G']] : [values['a'], name];
  return user !== undefined && group !== undefined && names.length === 1 && !group.includes(',')
    ? { joins: { user, group } }
    : undefined;
}

type Group = { readonly name: string; readonly gid?: number };

const groupWith = (name: string, gid: string | undefined): Group =>
  gid === undefined ? { name } : { name, gid: Number(gid) };

interface UserWords {
  readonly uid: string | undefined;
  readonly group: string | undefined;
  readonly gecos: string | undefined;
  readonly home: string | undefined;
  readonly shell: string | undefined;
}

function userWith(name: string, { uid, ...words }: UserWords): DeclaredUser {
  const said = Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined));
  return { name, ...(uid === undefined ? {} : { uid: Number(uid) }), ...said };
}

/** Of shadow's programs, by the letters that mean the same. */
const LONG: Readonly<Record<string, string>> = {
  system: 'r',
  gid: 'g',
  uid: 'u',
  'home-dir': 'd',
  home: 'd',
  shell: 's',
  comment: 'c',
  groups: 'G',
  append: 'a',
  'no-create-home': 'M',
  'create-home': 'm',
  'no-user-group': 'N',
  'user-group': 'U',
};

interface ReadOptions {
  readonly flags: ReadonlySet<string>;
  readonly values: Readonly<Record<string, string>>;
  readonly names: readonly string[];
}

/** @param takes letters of the options that have a value */
export function readOptions(words: readonly string[], takes: string): ReadOptions {
  const flags = new Set<string>();
  const values: Record<string, string> = {};
  const names: string[] = [];
  const rest = words.map(shortened);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (!/^-\w/.test(word)) {
      names.push(word);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word.charAt(at);
      if (takes.includes(letter)) {
        values[letter] = word.slice(at + 1) || (rest.shift() ?? '');
        break;
      }
      flags.add(letter);
    }
  }
  return { flags, values, names };
}

/** `--gid=5` as `-g5`. */
function shortened(word: string): string {
  const [, name = '', value = ''] = /^--([a-z-]+)(?:=([^]*))?$/.exec(word) ?? [];
  const letter = LONG[name];
  return letter === undefined ? word : `-${letter}${value}`;
}

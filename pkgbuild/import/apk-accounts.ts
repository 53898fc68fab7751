/** Accounts that install scripts of apk make, as declarations. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as v from 'valibot';
import { isErrno } from '#schema/error';
import { ManifestSchema, type DeclaredUser } from '#schema/manifest';
import { parseCommands, type Command } from './shell-tree.ts';
import { ShellError } from './shell-tokens.ts';
import { plain, Unreadable } from './shell-values.ts';

export interface Accounts {
  readonly users: readonly DeclaredUser[];
  readonly groups: readonly { readonly name: string; readonly gid?: number }[];
}

const MAX_BYTES = 64 * 1024;
const Declared = v.pick(ManifestSchema, ['users', 'groups']);

/** What the script declares; `undefined` where it is not there or does anything else besides. */
export function accountsOfScript(folder: string, name: string): Accounts | undefined {
  const file = path.join(folder, path.basename(name));
  try {
    if (fs.statSync(file).size > MAX_BYTES) return undefined;
    return accountsOfText(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EISDIR')) return undefined;
    throw error;
  }
}

/** What the text of a script declares; `undefined` where it does anything else besides. */
export function accountsOfText(text: string): Accounts | undefined {
  try {
    return accountsOf(text);
  } catch (error) {
    if (error instanceof ShellError || error instanceof Unreadable) return undefined;
    throw error;
  }
}

function accountsOf(text: string): Accounts | undefined {
  const users = new Map<string, DeclaredUser>();
  const groups = new Map<string, { readonly name: string; readonly gid?: number }>();
  for (const command of parseCommands(text)) {
    const words = wordsOf(command);
    const made = words === undefined ? undefined : accountOf(words);
    if (made === undefined) return undefined;
    if (made.user !== undefined) users.set(made.user.name, made.user);
    if (made.group !== undefined) groups.set(made.group.name, made.group);
    if (made.joins !== undefined) {
      const { user: name, group } = made.joins;
      const user = users.get(name);
      if (user === undefined) return undefined;
      users.set(name, { ...user, groups: [...new Set([...(user.groups ?? []), group])] });
    }
  }
  const all = { users: [...users.values()], groups: [...groups.values()] };
  return v.is(Declared, all) ? all : undefined;
}

/** The words of the command that changes something: `getent group a || addgroup a` is `addgroup a`. */
function wordsOf(command: Command): readonly string[] | undefined {
  if (command.kind === 'simple' && command.array === undefined)
    return command.words.map((word) => plain(word, new Map()));
  if (command.kind !== '||') return undefined;
  const [left, right] = [wordsOf(command.left), wordsOf(command.right)];
  if (left?.[0] === 'getent') return right;
  return right?.length === 1 && (right[0] === 'true' || right[0] === ':') ? left : undefined;
}

interface Made {
  readonly user?: DeclaredUser;
  readonly group?: { readonly name: string; readonly gid?: number };
  readonly joins?: { readonly user: string; readonly group: string };
}

/** A command of BusyBox that makes an account of the system; `undefined` for every other one. */
function accountOf([command, ...words]: readonly string[]): Made | undefined {
  if (command === 'exit' || command === 'true' || command === ':') return words.length < 2 ? {} : undefined;
  if (command !== 'addgroup' && command !== 'adduser') return undefined;
  const read = readOptions(words, command === 'adduser' ? 'hgsGuk' : 'g');
  const [name, group] = read.names;
  if (name === undefined || read.names.length > 2) return undefined;
  if (group !== undefined) return { joins: { user: name, group } };
  // A person's account is no part of a package.
  if (!read.flags.has('S')) return undefined;
  const number = (letter: string): number | undefined =>
    read.values[letter] === undefined ? undefined : Number(read.values[letter]);
  if (command === 'addgroup') {
    const gid = number('g');
    return { group: { name, ...(gid === undefined ? {} : { gid }) } };
  }
  const { h: home, g: gecos, s: shell, G: primary } = read.values;
  const uid = number('u');
  return {
    user: {
      name,
      ...(uid === undefined ? {} : { uid }),
      ...(primary === undefined ? {} : { group: primary }),
      ...(gecos === undefined ? {} : { gecos }),
      ...(home === undefined ? {} : { home }),
      ...(shell === undefined ? {} : { shell }),
    },
  };
}

/** @param takes letters of the options that have a value */
function readOptions(
  words: readonly string[],
  takes: string,
): {
  readonly flags: ReadonlySet<string>;
  readonly values: Readonly<Record<string, string>>;
  readonly names: readonly string[];
} {
  const flags = new Set<string>();
  const values: Record<string, string> = {};
  const names: string[] = [];
  const rest = [...words];
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

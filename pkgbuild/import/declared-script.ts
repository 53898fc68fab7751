/** What install scripts of others do, as declarations: accounts, directories, owners. What else they do is not read. */
import * as v from 'valibot';
import type { DeclaredUser } from '#schema/manifest';
import { ManifestSchema } from '#schema/manifest';
import { accountOf, readOptions } from './account-commands.ts';
import type { OwnerRule } from './draft.ts';
import { parseCommands, type Command, type Simple } from './shell-tree.ts';
import { ShellError } from './shell-tokens.ts';
import { plain, Unreadable } from './shell-values.ts';

export interface Declarations {
  readonly users: readonly DeclaredUser[];
  readonly groups: readonly { readonly name: string; readonly gid?: number }[];
  readonly directories: readonly OwnerRule[];
  /** Of what the package itself installs. */
  readonly owners: readonly OwnerRule[];
}

export interface ReadScript {
  readonly declared: Declarations;
  /** True where the script does nothing that is not declared. */
  readonly whole: boolean;
  /** True where it makes an account that could not be told. */
  readonly unknownAccounts: boolean;
}

const Accounts = v.pick(ManifestSchema, ['users', 'groups']);
const UNREAD: ReadScript = {
  declared: { users: [], groups: [], directories: [], owners: [] },
  whole: false,
  unknownAccounts: true,
};
const MAKES_ACCOUNTS = /\b(?:addgroup|adduser|groupadd|useradd|usermod|gpasswd)\b/;

/** A text that is no shell, or makes accounts that no system can have, declares nothing. */
export function readScript(text: string): ReadScript {
  const reading = new Reading();
  try {
    for (const command of parseCommands(text)) reading.take(command);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    return UNREAD;
  }
  const declared = reading.declared();
  const { users, groups } = declared;
  if (!v.is(Accounts, { users, groups })) return UNREAD;
  const unknownAccounts = MAKES_ACCOUNTS.test(reading.rest.join('\n'));
  return { declared, whole: reading.rest.length === 0, unknownAccounts };
}

/** Asks for an account before it is made. */
const GUARDS = new Set(['getent', 'grep', 'id']);
const QUIET = new Set(['exit', 'return', 'true', ':', 'set']);
const PRINTS = new Set(['echo', 'printf', 'cat']);
/** Accounts stay when a package goes. */
const REMOVES = new Set(['deluser', 'delgroup', 'userdel', 'groupdel']);

class Reading {
  /** What is not declared. */
  readonly rest: string[] = [];
  readonly #users = new Map<string, DeclaredUser>();
  readonly #groups = new Map<string, { readonly name: string; readonly gid?: number }>();
  readonly #directories = new Map<string, OwnerRule>();
  readonly #owners = new Map<string, OwnerRule>();

  declared(): Declarations {
    const of = <T>(map: ReadonlyMap<string, T>): T[] => [...map.values()];
    return {
      users: of(this.#users),
      groups: of(this.#groups),
      directories: of(this.#directories),
      owners: of(this.#owners),
    };
  }

  take(command: Command): void {
    for (const one of unguarded(command))
      if (one === undefined) this.rest.push(command.text);
      else if (!this.#run(one)) this.rest.push(one.text);
  }

  #run(command: Simple): boolean {
    const words = wordsOf(command);
    if (words === undefined) return false;
    const [program = '', ...rest] = words;
    if (QUIET.has(program)) return rest.length < 2;
    if (REMOVES.has(program)) return true;
    if (PRINTS.has(program)) return printsOnly(command, rest);
    if (command.redirected && !isSilent(command)) return false;
    return this.#account(words) || this.#folder(program, rest);
  }

  #account(words: readonly string[]): boolean {
    const made = accountOf(words);
    if (made === undefined) return false;
    if (made.user !== undefined) this.#users.set(made.user.name, made.user);
    if (made.group !== undefined) this.#groups.set(made.group.name, made.group);
    if (made.joins === undefined) return true;
    const user = this.#users.get(made.joins.user);
    if (user === undefined) return false;
    this.#users.set(user.name, { ...user, groups: [...new Set([...(user.groups ?? []), made.joins.group])] });
    return true;
  }

  #folder(program: string, words: readonly string[]): boolean {
    const { flags, values, names } = readOptions(words, program === 'install' ? 'mogtS' : 'm');
    if (program === 'mkdir' || (program === 'install' && flags.has('d'))) {
      const rule = { ...ownerOf(`${values['o'] ?? ''}:${values['g'] ?? ''}`), ...modeOf(values['m']) };
      return this.#change(names, (path) => this.#directories.set(path, { path, ...rule }));
    }
    const [what = '', ...paths] = names;
    if (program === 'chown' || program === 'chgrp')
      return this.#set(paths, ownerOf(program === 'chgrp' ? `:${what}` : what), flags.has('R'));
    const mode = program === 'chmod' ? modeOf(what) : {};
    return mode.mode !== undefined && !flags.has('R') && this.#set(paths, mode, false);
  }

  /** Of a directory that the script made itself, else of what the package has there. */
  #set(names: readonly string[], rule: Omit<OwnerRule, 'path'>, deep: boolean): boolean {
    return this.#change(names, (path) => {
      const made = this.#directories.get(path);
      if (made !== undefined) this.#directories.set(path, { ...made, ...rule });
      else
        for (const one of deep ? [path, `${path}/**`] : [path])
          this.#owners.set(one, { ...this.#owners.get(one), path: one, ...rule });
    });
  }

  #change(names: readonly string[], change: (path: string) => void): boolean {
    const paths = names.map(pathBelowRoot);
    if (paths.length === 0 || paths.includes(undefined)) return false;
    for (const path of paths) if (path !== undefined) change(path);
    return true;
  }
}

/** Commands that run whatever the guards before them say; `undefined` for what depends on anything else. */
function unguarded(command: Command): (Simple | undefined)[] {
  if (command.kind === 'simple') return [command];
  if (command.kind === 'group') return command.body.flatMap(unguarded);
  if (command.kind === '||') {
    if (isGuard(command.left)) return unguarded(command.right);
    const quiet = command.right.kind === 'simple' && QUIET.has(command.right.words[0] ?? '');
    return quiet ? unguarded(command.left) : [undefined];
  }
  if (command.kind === '&&') {
    const removes = command.right.kind === 'simple' && REMOVES.has(command.right.words[0] ?? '');
    return isGuard(command.left, '!') || (removes && isGuard(command.left))
      ? unguarded(command.right)
      : [undefined];
  }
  if (command.kind !== 'if') return [undefined];
  const [clause, ...more] = command.clauses;
  const asked = clause?.test.every((test) => isGuard(test, '!')) === true;
  return asked && more.length === 0 && command.otherwise.length === 0
    ? (clause?.body ?? []).flatMap(unguarded)
    : [undefined];
}

function isGuard(command: Command, before = ''): boolean {
  if (command.kind !== 'simple') return false;
  const words = command.words[0] === before ? command.words.slice(1) : command.words;
  const [program = '', ...rest] = words;
  const asks = program !== 'grep' || /^\/etc\/(?:passwd|group|shadow)$/.test(rest.at(-1) ?? '');
  return GUARDS.has(program) && asks && (before === '' || command.words[0] === before);
}

function wordsOf({ words, array }: Simple): readonly string[] | undefined {
  if (array !== undefined) return undefined;
  try {
    return words.map((word) => plain(word, new Map()));
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** `>/dev/null` and `2>&1` change no file. */
const isSilent = ({ text }: Simple): boolean =>
  !/[<>]/.test(text.replaceAll(/\d?>>?[ \t]*(?:&\d|\/dev\/null)/g, ''));

/** Text of its own, or a here document. */
function printsOnly(command: Simple, words: readonly string[]): boolean {
  const first = command.text.split('\n')[0] ?? '';
  const line = first.replaceAll(/'[^']*'|"[^"]*"?/g, '').replaceAll(/<<-?[ \t]*[\w'"\\]*/g, '');
  const prints = !/[<>]/.test(line.replaceAll(/\d?>>?[ \t]*(?:&\d|\/dev\/(?:null|stderr|stdout))/g, ''));
  return prints && (command.words[0] !== 'cat' || words.length === 0);
}

/** What is empty on every start is no part of a package. */
const VOLATILE = /^(?:run|tmp|var\/run|var\/tmp|dev|proc|sys|home|root|mnt|media)(?:\/|$)/;

function pathBelowRoot(word: string): string | undefined {
  const path = word.replace(/^\/+/, '').replace(/\/+$/, '');
  const isPlain = /^[\w.+@-]+(?:\/[\w.+@-]+)*$/.test(path) && !/(?:^|\/)\.\.?(?:\/|$)/.test(path);
  return word.startsWith('/') && isPlain && !VOLATILE.test(path) ? path : undefined;
}

/** `USER`, `USER:GROUP`, `:GROUP`; root is what everything is without. */
export function ownerOf(spec: string): Pick<OwnerRule, 'user' | 'group' | 'uid' | 'gid'> {
  const [user = '', group = ''] = spec.split(':');
  return { ...accountNamed('user', 'uid', user), ...accountNamed('group', 'gid', group) };
}

function accountNamed(name: string, number: string, text: string): Readonly<Record<string, string | number>> {
  if (text === '' || text === 'root' || text === '0') return {};
  return /^\d+$/.test(text) ? { [number]: Number(text) } : { [name]: text };
}

const modeOf = (text: string | undefined): { readonly mode?: string } =>
  text !== undefined && /^0?[0-7]{3,4}$/.test(text) ? { mode: text.padStart(4, '0') } : {};

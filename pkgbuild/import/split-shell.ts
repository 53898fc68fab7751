/**
 * Shell that fills a subpackage, as patterns of the files that it has, and as commands for `install` where something is
 * made or moved elsewhere: here all packages are cut out of one tree.
 */
import { quote } from '../shell.ts';
import type { DraftSubpackage } from './draft.ts';
import { parseCommands, type Simple } from './shell-tree.ts';
import { ShellError } from './shell-tokens.ts';
import { clip, expandWord, plain, Unreadable, type Value } from './shell-values.ts';
import { splitWord, walkCommands } from './shell-walk.ts';
import { importDependency, importProvide } from './words.ts';

/** Stand for the roots of the whole tree and of the subpackage, and for the folder of the sources. */
export const TREE = '\u0002';
export const PART = '\u0001';

export interface SplitMeans {
  /** With `TREE` and `PART` under the names that the text has for them. */
  readonly values: ReadonlyMap<string, Value>;
  readonly functions: ReadonlyMap<string, string>;
  /** Folder where the text starts. */
  readonly start: string;
  /** Functions of the other package manager that take files by their places. */
  readonly usual: Readonly<Record<string, readonly string[]>>;
}

export interface Split {
  readonly files: string[];
  /** Shell for `install`, a command a line. */
  readonly steps: string[];
  /** What is not understood. */
  readonly unknown: string[];
  readonly about: Omit<DraftSubpackage, 'name' | 'files'>;
  /** Something else is said of the package that has no place in a recipe. */
  readonly left: string[];
}

export function readSplit(text: string, means: SplitMeans): Split {
  const split = new Splitter(means);
  try {
    walkCommands(parseCommands(text), {
      values: split.values,
      functions: means.functions,
      eitherWay: true,
      command: (words, simple) => split.take(words, simple),
      unknown: (one) => split.refuse(one),
    });
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    split.refuse(text);
  }
  return split.result();
}

const RELATIONS = { depends: importDependency, replaces: importDependency, provides: importProvide } as const;
/** Say nothing about files. */
const QUIET = new Set([
  'msg',
  'error',
  'die',
  'echo',
  'pwd',
  'ls',
  'warning',
  'rmdir',
  'mkdir',
  'strip',
  'paxmark',
  'printf',
]);

class Splitter {
  readonly values: Map<string, Value>;
  readonly #means: SplitMeans;
  readonly #before: ReadonlyMap<string, Value>;
  readonly #files = new Set<string>();
  readonly #steps: string[] = [];
  readonly #unknown = new Set<string>();
  #folder: string;

  constructor(means: SplitMeans) {
    this.#means = means;
    this.#before = means.values;
    this.values = new Map(means.values);
    this.#folder = means.start;
  }

  refuse(text: string): void {
    this.#unknown.add(clip(text));
  }

  take(words: readonly string[], simple: Simple): void {
    try {
      if (!this.#understood(words, simple)) this.refuse(simple.text);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.refuse(simple.text);
    }
  }

  #understood(raw: readonly string[], simple: Simple): boolean {
    const [command = '', ...rest] = raw.flatMap((word) => splitWord(word, this.values));
    const usual = this.#means.usual[command];
    if (usual !== undefined) {
      for (const pattern of usual) this.#files.add(pattern);
      return true;
    }
    if (simple.redirected) return this.#written(simple);
    if (command === 'cd') return this.#enter(rest[0] ?? '');
    const options = rest.filter((word) => /^-./.test(word));
    const paths = rest.filter((word) => !/^-./.test(word));
    if (command === 'amove') return this.#patterns(paths.map((path) => `${TREE}/${path}`));
    if (command === 'mkdir' || QUIET.has(command)) return true;
    if (command === 'mv') return this.#move(paths);
    if (command === 'rm') return this.#remove(rest, paths);
    if (command === 'install' || command === 'cp' || command === 'ln')
      return this.#put(command, rest, options);
    return /^(?:sed|chmod|chown|gzip|touch|find)$/.test(command) && this.#inPlace(command, rest);
  }

  /** `echo … >FILE` */
  #written(simple: Simple): boolean {
    const match = /^((?:echo|printf)\b[^<>|]*)>{1,2}\s*(\S+|"[^"]*"\S*)$/.exec(simple.text);
    if (match === null) return /^(?:\w+)\s[^>]*(?:2>|>)\s*\/dev\/null\s*$/.test(simple.text);
    const file = this.#absolute(plain(match[2] ?? '', this.values));
    if (!file.startsWith(`${PART}/`)) return false;
    const [command = '', ...words] = expandAll(match[1] ?? '', this.values);
    this.#step(`${[command, ...words.map(shown)].join(' ')} >${shown(file)}`);
    return this.#patterns([file]);
  }

  #enter(path: string): boolean {
    if (path === '') return false;
    this.#folder = this.#absolute(path);
    return true;
  }

  /** A path in the tree, in the subpackage, or of the sources. */
  #absolute(path: string): string {
    const whole = /^[/\u0001\u0002]/.test(path) ? path : `${this.#folder}/${path}`;
    const parts: string[] = [];
    for (const part of whole.split('/'))
      if (part === '..') parts.pop();
      else if (part !== '' && part !== '.') parts.push(part);
    return `${whole.startsWith('/') ? '/' : ''}${parts.join('/')}`;
  }

  #patterns(paths: readonly string[]): boolean {
    const patterns = paths.map((path) => this.#absolute(path).slice(2));
    if (patterns.some((path) => path === '' || /[\u0000-\u0008$]/.test(path))) return false;
    for (const pattern of patterns) this.#files.add(pattern);
    return true;
  }

  #move(paths: readonly string[]): boolean {
    const target = this.#absolute(paths.at(-1) ?? '');
    const from = paths.slice(0, -1).map((path) => this.#absolute(path));
    if (from.length === 0 || !target.startsWith(PART)) return this.#within(from, target);
    const into = (paths.at(-1) ?? '').endsWith('/') || from.length > 1 || this.#isFolder(target, from);
    for (const path of from) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const to = into ? `${target}/${name}` : target;
      if (path.slice(1) === to.slice(1) && path.startsWith(TREE)) this.#patterns([to]);
      else {
        const folder = to.slice(0, to.lastIndexOf('/'));
        this.#step(`mkdir -p ${shown(folder)}`);
        this.#step(`mv ${shown(path)} ${shown(into ? `${folder}/` : to)}`);
        if (!this.#patterns([to])) return false;
      }
    }
    return true;
  }

  /** Without a slash at its end nobody can tell a folder from a name but by where the files come from. */
  #isFolder(target: string, from: readonly string[]): boolean {
    const [path = ''] = from;
    const parent = path.slice(1, path.lastIndexOf('/'));
    if (path.slice(1) === target.slice(1)) return false;
    return (
      parent === target.slice(1) ||
      /[*?]/.test(path) ||
      /\/(?:bin|sbin|lib|libexec|share|etc)$/.test(target) ||
      target === PART
    );
  }

  /** A move that stays in the tree or in the subpackage. */
  #within(from: readonly string[], target: string): boolean {
    if (from.length === 0 || !/^[\u0001\u0002]/.test(target)) return false;
    if (target.startsWith(TREE) && from.every((path) => path.startsWith(PART))) {
      for (const path of from) this.#files.delete(path.slice(2));
      const place = target.slice(1);
      if (from.every((path) => place === path.slice(1) || place === path.slice(1, path.lastIndexOf('/'))))
        return true;
    }
    this.#step(`mv ${[...from, target].map(shown).join(' ')}`);
    if (target.startsWith(PART)) return this.#patterns([target]);
    // What goes back to the main package is listed here no longer.
    for (const path of from) this.#files.delete(path.slice(2));
    return from.every((path) => path.startsWith(TREE));
  }

  #remove(words: readonly string[], paths: readonly string[]): boolean {
    const whole = paths.map((path) => this.#absolute(path)).filter((path) => path !== PART);
    if (whole.some((path) => !/^(?:[\u0001\u0002]|\/build\/src)\//.test(path))) return false;
    const options = words.filter((word) => /^-./.test(word));
    if (whole.length > 0) this.#step(['rm', ...options, ...whole.map(shown)].join(' '));
    return true;
  }

  #put(command: string, words: readonly string[], options: readonly string[]): boolean {
    const takes = command === 'install' ? /^-(?:m|o|g|-mode|-owner|-group)$/ : /^-$/;
    const paths: string[] = [];
    const flags: string[] = [];
    let folder: string | undefined;
    for (let at = 0; at < words.length; at++) {
      const word = words[at] ?? '';
      if (/^-[A-Za-z]*t$/.test(word)) folder = this.#absolute(words[++at] ?? '');
      else if (takes.test(word)) flags.push(word, words[++at] ?? '');
      else if (/^-./.test(word)) flags.push(word);
      else paths.push(word);
    }
    if (command === 'install' && options.some((one) => /^-\w*d/.test(one))) return true;
    const target = folder ?? this.#absolute(paths.pop() ?? '');
    if (!target.startsWith(PART) || paths.length === 0) return false;
    const from = command === 'ln' ? paths : paths.map((path) => this.#absolute(path));
    const last = words.at(-1) ?? '';
    const into =
      folder !== undefined ||
      last.endsWith('/') ||
      paths.length > 1 ||
      (command !== 'install' && this.#isFolder(target, from)) ||
      target === PART;
    const made = into ? from.map((path) => `${target}/${path.slice(path.lastIndexOf('/') + 1)}`) : [target];
    const parent = into ? target : target.slice(0, target.lastIndexOf('/'));
    this.#step(`mkdir -p ${shown(parent)}`);
    this.#step(
      [
        command,
        ...flags.map((flag) => (/^-[A-Za-z]*t$/.test(flag) ? '' : flag)),
        ...from.map(shown),
        `${shown(target)}${into ? '/' : ''}`,
      ].join(' '),
    );
    return this.#patterns(made);
  }

  /** Changes files that the subpackage has already. */
  #inPlace(command: string, words: readonly string[]): boolean {
    const at = words.findIndex((word) => /^[\u0001\u0002]/.test(word));
    if (at === -1 || words.some((word) => word.startsWith(TREE))) return false;
    this.#step([command, ...words.map(shown)].join(' '));
    return true;
  }

  #step(text: string): void {
    if (!this.#steps.includes(text)) this.#steps.push(text);
  }

  result(): Split {
    const set = (name: string): string | undefined => {
      const [now, before] = [this.values.get(name), this.#before.get(name)];
      return now !== before && now?.known === true
        ? now.words.join(' ').replaceAll(/\s+/g, ' ').trim()
        : undefined;
    };
    const list = (name: keyof typeof RELATIONS): string[] =>
      (set(name) ?? '').split(' ').flatMap((one) => (one === '' ? [] : (RELATIONS[name](one) ?? [])));
    const description = set('pkgdesc');
    const lists = Object.entries({
      depends: list('depends'),
      replaces: list('replaces'),
      provides: list('provides'),
      installIf: (set('install_if') ?? '')
        .split(' ')
        .flatMap((one) => (one === '' ? [] : (importDependency(one) ?? []))),
    }).filter(([, texts]) => texts.length > 0);
    const priority = Number(/^\d{1,9}$/.exec(set('provider_priority') ?? '')?.[0] ?? 0);
    return {
      files: [...this.#files],
      steps: this.#steps,
      unknown: [...this.#unknown],
      left: set('install') === undefined || set('install') === '' ? [] : ['install'],
      about: {
        ...(description === undefined || description === '' ? {} : { description }),
        ...Object.fromEntries(lists),
        ...(priority === 0 ? {} : { providerPriority: priority }),
      },
    };
  }
}

const expandAll = (text: string, values: ReadonlyMap<string, Value>): string[] => {
  const [command] = parseCommands(text);
  return command?.kind === 'simple' ? command.words.flatMap((word) => expandWord(word, values)) : [];
};

/** A word for a shell, with the tree's variable in it and patterns left open. */
function shown(word: string): string {
  const inTree = /^[\u0001\u0002](.*)$/s.exec(word);
  if (inTree !== null) return `"$DESTDIR"${patternText(inTree[1] ?? '')}`;
  return word.startsWith('/build/')
    ? patternText(word)
    : /^[A-Za-z0-9_./:@%+=,-]+$/.test(word)
      ? word
      : /\$(?:HOST|ARCH|BUILD|CROSS)\b/.test(word)
        ? patternText(word)
        : quote(word.replaceAll(/[\u0001\u0002]/g, ''));
}

/** Quotes all but the signs of a pattern. */
const patternText = (text: string): string =>
  text
    .split(/(\$(?:HOST|ARCH|BUILD|CROSS|VERSION)\b)/)
    .map((part, index) =>
      index % 2 === 1
        ? `"${part}"`
        : part.replaceAll(/[^A-Za-z0-9_./:@%+=,*?[\]~-]+/g, (sign) => quote(sign)),
    )
    .join('');

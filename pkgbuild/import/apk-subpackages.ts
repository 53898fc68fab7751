/** Subpackages of APKBUILDs: those that come by themselves, those by their usual files, those whose function can be read. */
import type { DraftSubpackage, Notes } from './draft.ts';
import type { ShellFile } from './shell-file.ts';
import { expandWord, plain, Unreadable, type Values } from './shell-values.ts';
import { ShellError, tokenize } from './shell-tokens.ts';
import { importDependency, importProvide } from './words.ts';

interface Means {
  /** Of the main package. */
  readonly name: string;
  readonly file: Pick<ShellFile, 'functions' | 'values'>;
  readonly notes: Notes;
  readonly line: number | undefined;
}

/** Made by the builder, or not at all. */
const AUTOMATIC: Readonly<Record<string, string | undefined>> = {
  dev: undefined,
  doc: undefined,
  dbg: 'debug symbols are stripped',
  static: 'static libraries are in the -dev package',
  'libs-static': 'static libraries are in the -dev package',
  pyc: 'compiled Python files are made by nobody',
};

/** Files that abuild's own functions take. */
const USUAL: Readonly<Record<string, readonly string[]>> = {
  libs: ['lib/lib*.so.*', 'usr/lib/lib*.so.*'],
  openrc: ['etc/conf.d', 'etc/init.d'],
  lang: ['usr/share/locale'],
  'bash-completion': ['usr/share/bash-completion'],
  'zsh-completion': ['usr/share/zsh'],
  'fish-completion': ['usr/share/fish'],
};

export function apkSubpackages(words: readonly string[], means: Means): DraftSubpackage[] {
  const made: DraftSubpackage[] = [];
  for (const word of words) {
    const [name = '', given = ''] = word.split(':');
    const suffix = name.startsWith(`${means.name}-`) ? name.slice(means.name.length + 1) : name;
    const of = given === '' ? suffix.replaceAll('-', '_') : given;
    const own = means.file.functions.get(of)?.body;
    const field = `subpackages ${name}`;
    if (own === undefined && Object.hasOwn(AUTOMATIC, suffix)) {
      const why = AUTOMATIC[suffix];
      if (why !== undefined) means.notes.add('left', field, why, means.line);
    } else if (own === undefined) {
      const usual = USUAL[given === '' ? suffix : given] ?? USUAL[suffix];
      if (usual === undefined) means.notes.add('lost', field, 'nothing says which files it has', means.line);
      else made.push({ name, files: usual });
    } else if (suffix === 'dev' || suffix === 'doc') {
      means.notes.add(
        'left',
        field,
        `its function is not needed: the builder makes ${name}`,
        means.file.functions.get(of)?.line,
      );
    } else {
      const read = readFunction(own, means);
      const line = means.file.functions.get(of)?.line;
      for (const command of read.unknown)
        means.notes.add('lost', field, `"${command}" of ${of}() is not carried over`, line);
      if (read.files.length > 0) made.push({ name, ...read.about, files: read.files });
      else if (read.unknown.length === 0)
        means.notes.add('lost', field, `${of}() does not say which files it has`, line);
    }
  }
  return made;
}

interface ReadFunction {
  readonly files: string[];
  /** Commands that are not understood. */
  readonly unknown: string[];
  readonly about: { description?: string; depends?: string[]; replaces?: string[]; provides?: string[] };
}

/** Understands assignments, `amove`, and `mv` and `mkdir` between the two folders. */
function readFunction(body: string, { file, name }: Means): ReadFunction {
  const values: Values = new Map([
    ...file.values,
    ['pkgdir', { known: true, words: [''], array: false, line: 0 }],
    ['subpkgdir', { known: true, words: ['\u0001'], array: false, line: 0 }],
    ['subpkgname', { known: true, words: [name], array: false, line: 0 }],
  ]);
  const result: ReadFunction = { files: [], unknown: [], about: {} };
  for (const command of commandsOf(body)) {
    try {
      if (!readCommand(command, { values, result })) result.unknown.push(command.join(' ').slice(0, 100));
    } catch (error) {
      if (!(error instanceof Unreadable || error instanceof ShellError)) throw error;
      result.unknown.push(command.join(' ').slice(0, 100));
    }
  }
  return result;
}

/** Simple commands of a body; a compound shows as its words. */
function commandsOf(body: string): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  for (const token of tokenize(body)) {
    if (token.kind === 'word') words.push(token.text);
    else if (words.length > 0) {
      commands.push(words);
      words = [];
    }
  }
  return words.length > 0 ? [...commands, words] : commands;
}

function readCommand(
  words: readonly string[],
  { values, result }: { readonly values: Values; readonly result: ReadFunction },
): boolean {
  const [command = '', ...rest] = words;
  const assignment = /^([a-z_]+)=([^]*)$/.exec(command);
  if (assignment !== null && rest.length === 0) {
    const value = plain(assignment[2] ?? '', values);
    if (assignment[1] === 'pkgdesc') result.about.description = value;
    else if (isRelation(assignment[1])) {
      const convert = assignment[1] === 'provides' ? importProvide : importDependency;
      const said = value.split(/\s+/).flatMap((one) => (one === '' ? [] : (convert(one) ?? [])));
      if (said.length > 0) result.about[assignment[1]] = said;
    } else return /^(?:arch|license|url|options|install_if)$/.test(assignment[1] ?? '') && value === '';
    return true;
  }
  if (command === 'return' || command === 'true' || command === ':') return true;
  const paths = rest.filter((word) => !word.startsWith('-')).flatMap((word) => expandWord(word, values));
  if (command === 'mkdir' || command === 'install') return rest.includes('-d') || command === 'mkdir';
  if (command === 'cd') return false;
  if (command === 'amove') return add(paths, result);
  if (command !== 'mv') return false;
  const target = paths.pop() ?? '';
  return target.startsWith('\u0001') && paths.every((path) => path.startsWith('/')) && add(paths, result);
}

const isRelation = (field: string | undefined): field is 'depends' | 'replaces' | 'provides' =>
  field === 'depends' || field === 'replaces' || field === 'provides';

function add(paths: readonly string[], { files }: ReadFunction): boolean {
  const patterns = paths.map((path) =>
    path
      .replaceAll(/\/{2,}/g, '/')
      .replace(/^\//, '')
      .replace(/\/$/, ''),
  );
  if (patterns.some((path) => path === '' || path.includes('\u0001') || path.includes('..'))) return false;
  files.push(...patterns);
  return true;
}

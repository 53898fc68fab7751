/** What APKBUILDs and PKGBUILDs have in common: variables, functions, and what is neither. */
import { IcepkgError } from '#schema/error';
import type { Notes } from './draft.ts';
import { lineOf, readScript, type ShellFunction, type Statement, type Unread } from './shell-script.ts';
import { ShellError } from './shell-tokens.ts';
import { parseCommands } from './shell-tree.ts';
import { clip, valuesOf, type Value } from './shell-values.ts';
import { walkCommands } from './shell-walk.ts';

export interface ShellFile {
  readonly values: Map<string, Value>;
  readonly functions: ReadonlyMap<string, ShellFunction>;
  readonly statements: readonly Statement[];
  /** `# Maintainer: NAME` and the like. */
  readonly maintainer: string | undefined;
}

/**
 * @param given variables that are set before the file is read
 * @throws IcepkgError `format-invalid` with `file:line` where it is no shell
 */
export function readShellFile(
  text: string,
  {
    file,
    given,
    notes,
  }: { readonly file: string; readonly given: Readonly<Record<string, string>>; readonly notes: Notes },
): ShellFile {
  let statements: Statement[];
  try {
    statements = readScript(text);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    throw new IcepkgError('format-invalid', `${file}:${lineOf(text, error.at)}: ${error.message}`, {
      hint: 'Give a file that a shell can read',
      cause: error,
    });
  }
  const functions = new Map(
    statements.filter((one) => one.kind === 'function').map((one) => [one.name, one]),
  );
  const bodies = new Map([...functions].map(([name, one]) => [name, one.body]));
  let tries = MAX_TRIES;
  const values = ARCHES.map((arch) =>
    valuesOf(statements, { ...given, CARCH: arch, CTARGET_ARCH: arch }, (statement, known) => {
      const understood = tries-- > 0 && workOut(statement, known, bodies);
      const sets = statement.sets.length === 0 ? '' : `; it sets ${statement.sets.join(', ')}`;
      const why = `"${statement.text}" is not run, so nobody knows what it does${sets}`;
      if (!understood) notes.add('lost', 'script', why, statement.line);
      return understood;
    }),
  );
  return {
    statements,
    values: merged(values[0] ?? new Map(), values[1] ?? new Map()),
    functions,
    maintainer: /^#\s*Maintainer:\s*(\S.*?)\s*$/im.exec(text.slice(0, 20_000))?.[1],
  };
}

/**
 * Variables that the file sets for all commands: those with a value that can be told, and shell that sets the others.
 */
export function exportsOf({
  statements,
  values,
}: {
  readonly statements: ShellFile['statements'];
  readonly values: ReadonlyMap<string, Value>;
}): {
  readonly env: Readonly<Record<string, string>>;
  readonly text: string;
} {
  const env: Record<string, string> = {};
  let text = '';
  for (const one of statements) {
    if (one.kind !== 'assignment' || one.exported !== true || one.array) continue;
    const value = values.get(one.name);
    const known =
      value?.known === true && value.other === undefined && !value.words.some((word) => /[$\n]/.test(word));
    if (known && !SET_FOR_STEPS.has(one.name)) env[one.name] = value.words.join(' ');
    else text += `export ${one.name}="${one.append ? `$${one.name}` : ''}"${one.words[0] ?? ''}\n`;
  }
  return { env, text };
}

/** Ours; what a file adds to them is added in the step. */
export const SET_FOR_STEPS = new Set(['CFLAGS', 'CXXFLAGS', 'CPPFLAGS', 'LDFLAGS', 'PATH', 'CC', 'CXX']);
const ARCHES = ['x86_64', 'aarch64'] as const;

/** Conditions and loops that are worked out; what comes after so many is told like any other. */
const MAX_TRIES = 500;

/** Applies a compound of conditions and loops to the values, all of it or nothing. */
function workOut(
  { source, line }: Unread,
  values: Map<string, Value>,
  functions: ReadonlyMap<string, string>,
): boolean {
  const after = new Map(values);
  let understood = true;
  const refuse = (): void => {
    understood = false;
  };
  try {
    walkCommands(parseCommands(source), {
      values: after,
      functions,
      eitherWay: false,
      command: refuse,
      unknown: refuse,
    });
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    return false;
  }
  if (understood)
    for (const [name, value] of after)
      if (values.get(name) !== value) values.set(name, value.line === 0 ? { ...value, line } : value);
  return understood;
}

/** Values on both architectures; `$ARCH` stands for its name where only that differs. */
function merged(x86: ReadonlyMap<string, Value>, arm: ReadonlyMap<string, Value>): Map<string, Value> {
  return new Map(
    [...x86].map(([name, value]): [string, Value] => {
      const other = arm.get(name);
      if (!value.known || other === undefined || !other.known)
        return [name, other?.known === false ? other : value];
      if (name === 'CARCH' || name === 'CTARGET_ARCH') return [name, { ...value, words: ['$ARCH'] }];
      const same = (a: readonly string[], b: readonly string[]): boolean =>
        a.length === b.length && a.every((one, index) => one === b[index]);
      if (same(value.words, other.words)) return [name, value];
      const named = value.words.map((word) => word.replaceAll('x86_64', '$ARCH'));
      const isNamed = same(
        named,
        other.words.map((word) => word.replaceAll('aarch64', '$ARCH')),
      );
      // A source or a list of names cannot say it so.
      return [
        name,
        isNamed && name.startsWith('_') ? { ...value, words: named } : { ...value, other: other.words },
      ];
    }),
  );
}

export interface Reader {
  /** Words of a list, or of a text that is split at white space. */
  readonly list: (name: string) => readonly string[];
  readonly text: (name: string) => string | undefined;
  readonly line: (name: string) => number | undefined;
}

/** Lists of which nothing gets lost. */
const SAME_ANYWAY = new Set(['options', 'checkdepends', 'arch']);

/** Reads variables and tells which have no value that can be told. */
export function variableReader({ values }: ShellFile, notes: Notes): Reader {
  const held = (name: string): readonly string[] => {
    const value = values.get(name);
    if (value === undefined) return [];
    if (value.known && value.other !== undefined && !SAME_ANYWAY.has(name))
      notes.add('lost', name, `for aarch64 it is ${clip(value.other.join(' '))}`, value.line);
    if (value.known) return value.words;
    notes.add('lost', name, value.why, value.line);
    return [];
  };
  return {
    list: (name) => {
      const value = values.get(name);
      const words = held(name);
      return value?.known === true && value.array
        ? words.filter((word) => word !== '')
        : words.flatMap((word) => word.split(/\s+/)).filter((word) => word !== '');
    },
    text: (name) => {
      const text = held(name).join(' ').replaceAll(/\s+/g, ' ').trim();
      return text === '' ? undefined : text;
    },
    line: (name) => values.get(name)?.line,
  };
}

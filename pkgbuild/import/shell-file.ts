/** What APKBUILDs and PKGBUILDs have in common: variables, functions, and what is neither. */
import { IcepkgError } from '#schema/error';
import type { Notes } from './draft.ts';
import { lineOf, readScript, type ShellFunction, type Statement } from './shell-script.ts';
import { ShellError } from './shell-tokens.ts';
import { valuesOf, type Value } from './shell-values.ts';

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
  for (const one of statements) {
    if (one.kind !== 'unread') continue;
    const sets = one.sets.length === 0 ? '' : `; it sets ${one.sets.join(', ')}`;
    notes.add('lost', 'script', `"${one.text}" is not run, so nobody knows what it does${sets}`, one.line);
  }
  const functions = statements.filter((one) => one.kind === 'function');
  return {
    statements,
    values: valuesOf(statements, given),
    functions: new Map(functions.map((one) => [one.name, one])),
    maintainer: /^#\s*Maintainer:\s*(\S.*?)\s*$/im.exec(text.slice(0, 20_000))?.[1],
  };
}

export interface Reader {
  /** Words of a list, or of a text that is split at white space. */
  readonly list: (name: string) => readonly string[];
  readonly text: (name: string) => string | undefined;
  readonly line: (name: string) => number | undefined;
}

/** Reads variables and tells which have no value that can be told. */
export function variableReader({ values }: ShellFile, notes: Notes): Reader {
  const held = (name: string): readonly string[] => {
    const value = values.get(name);
    if (value === undefined) return [];
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

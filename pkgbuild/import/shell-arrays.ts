/** Arrays of bash in steps for `/bin/sh`: where one has fixed words, they stand where it was used. */
import { quote } from '../shell.ts';
import { ShellError, tokenize } from './shell-tokens.ts';
import type { Values } from './shell-values.ts';

const SET =
  /^([ \t]*)(?:local[ \t]+|declare[ \t]+-a[ \t]+)?([A-Za-z_]\w*)(\+?)=\(([^()]*)\)[ \t]*;?[ \t]*(?:#[^\n]*)?$\n?/gm;

/** @param values arrays that the file sets outside of the step */
export function spreadArrays(text: string, values: Values): string {
  const words = new Map<string, string[]>();
  const unsure = new Set<string>();
  let indent: string | undefined;
  for (const match of text.matchAll(SET)) {
    const [, space = '', name = '', append, inner = ''] = match;
    indent ??= space;
    const texts = wordsOf(inner);
    // In a condition or a loop, or of words that nobody can tell apart.
    if (texts === undefined || space.length > indent.length) unsure.add(name);
    else words.set(name, [...(append === '+' ? (words.get(name) ?? []) : []), ...texts]);
  }
  for (const [name, value] of values)
    if (value.known && value.array && value.other === undefined && !words.has(name))
      words.set(name, value.words.map(quote));
  const known = (name: string): boolean => words.has(name) && !unsure.has(name);
  return text
    .replaceAll(SET, (whole, _space: string, name: string) => (known(name) ? '' : whole))
    .replaceAll(
      /"\$\{([A-Za-z_]\w*)\[@\]\}"|\$\{([A-Za-z_]\w*)\[[@*]\]\}/g,
      (whole, one?: string, two?: string) => {
        const name = one ?? two ?? '';
        return known(name) ? (words.get(name) ?? []).join(' ') : whole;
      },
    );
}

function wordsOf(text: string): string[] | undefined {
  try {
    const tokens = tokenize(text);
    if (tokens.some(({ kind }) => kind !== 'word' && kind !== '\n')) return undefined;
    return tokens.filter(({ kind }) => kind === 'word').map((token) => token.text);
  } catch (error) {
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}

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

/** `a{b,c}` in words as `ab ac`, and plain `[[ … ]]` as `[ … ]`. */
export function withoutBashisms(text: string): string {
  const plainTests = text
    .replaceAll(
      /\[\[ (!? ?-[a-z]) ("[^"\n]*"|[^\s"'\]]+) \]\]/g,
      (_, sign: string, word: string) => `[ ${sign} ${quotedWord(word)} ]`,
    )
    .replaceAll(
      /\[\[ ("[^"\n]*"|[^\s"'\]]+) (==?|!=) ("[^"\n]*"|'[^'\n]*'|[\w.-]+) \]\]/g,
      (_, left: string, sign: string, right: string) =>
        `[ ${quotedWord(left)} ${sign === '==' ? '=' : sign} ${right} ]`,
    );
  let tokens;
  try {
    tokens = tokenize(plainTests);
  } catch (error) {
    if (error instanceof ShellError) return plainTests;
    throw error;
  }
  let result = '';
  let from = 0;
  for (const { kind, text: word, start, end } of tokens) {
    if (kind !== 'word' || !BRACES.test(word)) continue;
    result += plainTests.slice(from, start) + spreadBraces(word).join(' ');
    from = end;
  }
  return result + plainTests.slice(from);
}

const quotedWord = (word: string): string => (/^\$\{?\w+\}?$/.test(word) ? `"${word}"` : word);

/** Innermost braces with a comma, outside quotes and expansions. */
const BRACES =
  /^((?:[^"'{}$\\]|"[^"]*"|'[^']*'|\$\w+|\$\{[^{}]*\}|\\.|(?<!\$)\{)*)\{([^{}"'\s]*,[^{}"'\s]*)\}/s;
const MAX_SPREAD = 100;

function spreadBraces(word: string): string[] {
  let words = [word];
  for (let round = 0; round < 10; round++) {
    const next = words.flatMap((one) => {
      const match = BRACES.exec(one);
      if (match === null) return [one];
      const [whole, head = '', choices = ''] = match;
      return choices.split(',').map((choice) => `${head}${choice}${one.slice(whole.length)}`);
    });
    if (next.length > MAX_SPREAD) return [word];
    if (next.length === words.length) return next;
    words = next;
  }
  return words;
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

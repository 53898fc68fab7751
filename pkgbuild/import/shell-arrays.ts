/** Arrays of bash in steps for `/bin/sh`: where one has fixed words, they stand where it was used. */
import { quote } from '../shell.ts';
import { ShellError, skipPiece, tokenize } from './shell-tokens.ts';
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
    if (kind !== 'word' || !/\{[^]*,[^]*\}/.test(word) || word.length > MAX_WORD) continue;
    result += plainTests.slice(from, start) + spreadBraces(word).join(' ');
    from = end;
  }
  return result + plainTests.slice(from);
}

const quotedWord = (word: string): string => (/^\$\{?\w+\}?$/.test(word) ? `"${word}"` : word);

const MAX_SPREAD = 100;
/** Longer ones stand as they are. */
const MAX_WORD = 1000;

/** The words that one with braces stands for, as they are written; itself where they stand for too many. */
function spreadBraces(word: string): string[] {
  let words = [word];
  for (let round = 0; round < 10; round++) {
    const next = words.flatMap((one) => {
      const found = firstBraces(one);
      if (found === undefined) return [one];
      return found.choices.map((choice) => `${one.slice(0, found.start)}${choice}${one.slice(found.end)}`);
    });
    if (next.length > MAX_SPREAD) return [word];
    if (next.length === words.length) return next;
    words = next;
  }
  return words;
}

/** The first braces with a comma that are neither quoted nor of an expansion. */
function firstBraces(
  word: string,
): { readonly start: number; readonly end: number; readonly choices: readonly string[] } | undefined {
  const open: { readonly start: number; readonly commas: number[] }[] = [];
  let first: { readonly start: number; readonly end: number; readonly commas: readonly number[] } | undefined;
  for (let at = 0; at < word.length; at++) {
    const char = word.charAt(at);
    if (char === '\\') at++;
    else if (char === '"' || char === "'" || char === '`' || char === '$') {
      const end = pieceEnd(word, at);
      if (end === undefined) return undefined;
      at = end - 1;
    } else if (char === '{') open.push({ start: at, commas: [] });
    else if (char === ',') open.at(-1)?.commas.push(at);
    else if (char === '}') {
      const { start, commas } = open.pop() ?? { start: 0, commas: [] };
      if (commas.length > 0 && (first === undefined || start < first.start))
        first = { start, end: at + 1, commas };
      if (open.length === 0 && first !== undefined) break;
    }
  }
  if (first === undefined) return undefined;
  const cuts = [first.start, ...first.commas, first.end - 1];
  const choices = cuts.slice(1).map((cut, index) => word.slice((cuts[index] ?? 0) + 1, cut));
  return { start: first.start, end: first.end, choices };
}

function pieceEnd(word: string, at: number): number | undefined {
  try {
    return skipPiece(word, at);
  } catch (error) {
    if (error instanceof ShellError) return undefined;
    throw error;
  }
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

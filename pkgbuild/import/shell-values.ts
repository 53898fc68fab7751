/** What variables of a script hold, as far as it can be told without running anything. */
import { calculate } from './shell-arithmetic.ts';
import { skipNested, skipPiece } from './shell-tokens.ts';
import type { Assignment, Statement, Unread } from './shell-script.ts';

/** Why a word has no value that can be told. */
export class Unreadable extends Error {}

export type Value =
  | {
      readonly known: true;
      readonly words: readonly string[];
      readonly array: boolean;
      readonly line: number;
      /** Words on aarch64, where they are not the same as on x86_64. */
      readonly other?: readonly string[];
    }
  | { readonly known: false; readonly why: string; readonly line: number };

export type Values = ReadonlyMap<string, Value>;

const MAX_LENGTH = 64 * 1024;
const MAX_WORDS = 5000;
const MAX_DEPTH = 20;
/** Stand for braces and commas outside quotes until all variables have their values. */
const BRACES = { '{': '\ue000', ',': '\ue001', '}': '\ue002' } as const;

/**
 * Values after all assignments, in order. What a command or a compound may set is unreadable from there on.
 * @param given what is set before the script starts
 * @param understood works out what a compound sets, where that can be told
 */
export function valuesOf(
  statements: readonly Statement[],
  given: Readonly<Record<string, string>>,
  understood: (statement: Unread, values: Map<string, Value>) => boolean,
): Map<string, Value> {
  const values = new Map<string, Value>(
    Object.entries(given).map(([name, text]) => [
      name,
      { known: true, words: [text], array: false, line: 0 },
    ]),
  );
  for (const statement of statements) {
    if (statement.kind === 'assignment') values.set(statement.name, assigned(statement, values));
    else if (statement.kind === 'unread' && !understood(statement, values))
      for (const name of statement.sets) {
        // An array or list that grows in a condition keeps what it had: the condition itself is told apart.
        const before = values.get(name);
        const why = `it is set by "${statement.text}"`;
        if (before === undefined) values.set(name, { known: false, why, line: statement.line });
      }
  }
  return values;
}

/** The value that an assignment gives. */
export function assigned(statement: Assignment, values: Values): Value {
  const { line, array, append, name } = statement;
  const before = values.get(name);
  try {
    if (append && before?.known === false) return before;
    // What grows from nothing.
    if (before === undefined && statement.words.some((word) => new RegExp(`\\$\\{?${name}\\b`).test(word)))
      return assigned(
        statement,
        new Map([...values, [name, { known: true, words: [''], array: false, line }]]),
      );
    const held = append && before?.known === true ? before.words : [];
    const isArray = array || (append && before?.known === true && before.array);
    if (!isArray) {
      const text = bounded(`${held.join(' ')}${plain(statement.words[0] ?? '', values)}`);
      return { known: true, words: [text], array: false, line };
    }
    const words = [...held, ...statement.words.flatMap((word) => expandWord(word, values))];
    if (words.length > MAX_WORDS) throw new Unreadable(`it has more than ${MAX_WORDS} words`);
    return { known: true, words, array: true, line };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { known: false, why: error.message, line };
  }
}

/** The value of a word without splitting. @throws Unreadable */
export const plain = (word: string, values: Values): string => unmark(evaluate(word, values, 0).join(' '));

/** The words that a word of an array stands for, braces expanded. @throws Unreadable */
export function expandWord(word: string, values: Values): string[] {
  return evaluate(word, values, 0)
    .flatMap((text) => expandBraces(text))
    .map(unmark);
}

function bounded(text: string): string {
  if (text.length > MAX_LENGTH) throw new Unreadable(`it is longer than ${MAX_LENGTH} characters`);
  return text;
}

const unmark = (text: string): string =>
  text.replaceAll(/[\ue000-\ue002]/g, (mark) => '{,}'.charAt(mark.charCodeAt(0) - 0xe000));

function evaluate(word: string, values: Values, depth: number): string[] {
  if (depth > MAX_DEPTH) throw new Unreadable('it is nested too deep');
  let texts = [''];
  let quoted = false;
  const add = (more: readonly string[]): void => {
    texts =
      texts.length === 1 && more.length === 1
        ? [`${texts[0] ?? ''}${more[0] ?? ''}`]
        : joinLists(texts, more);
    bounded(texts[texts.length - 1] ?? '');
  };
  for (let at = 0; at < word.length;) {
    const char = word.charAt(at);
    if (char === '"') {
      quoted = !quoted;
      at++;
    } else if (char === "'" && !quoted) {
      const end = word.indexOf("'", at + 1);
      add([word.slice(at + 1, end === -1 ? word.length : end)]);
      at = end === -1 ? word.length : end + 1;
    } else if (char === '\\') {
      const next = word.charAt(at + 1);
      if (next !== '\n') add([quoted && !/["\\$`]/.test(next) ? `\\${next}` : next]);
      at += 2;
    } else if (char === '`') throw new Unreadable(`it runs ${clip(word.slice(at, skipPiece(word, at)))}`);
    else if (char === '$') {
      const end = dollarEnd(word, at);
      add(dollar(word.slice(at, end), values, depth));
      at = end;
    } else {
      add([quoted ? char : (BRACES[char as keyof typeof BRACES] ?? char)]);
      at++;
    }
  }
  return texts;
}

/** An array inside a word: the text before belongs to its first element, the text after to its last. */
function joinLists(before: readonly string[], after: readonly string[]): string[] {
  if (after.length === 0) return [...before];
  const last = before[before.length - 1] ?? '';
  return [...before.slice(0, -1), `${last}${after[0] ?? ''}`, ...after.slice(1)];
}

function dollarEnd(word: string, at: number): number {
  if (/[({']/.test(word.charAt(at + 1))) return skipPiece(word, at);
  const name = /^\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])/.exec(word.slice(at, at + 200));
  return at + (name?.[0].length ?? 1);
}

function dollar(text: string, values: Values, depth: number): readonly string[] {
  if (text === '$') return ['$'];
  if (text.startsWith('$((') && text.endsWith('))')) {
    const worked = evaluate(text.slice(3, -2), values, depth + 1).join(' ');
    const result = calculate(worked, (name) => wordsOf(name, values).join(' '));
    if (result === undefined) throw new Unreadable(`it calculates ${clip(text)}`);
    return [String(result)];
  }
  if (text.startsWith('$(')) throw new Unreadable(`it runs ${clip(text)}`);
  if (text.startsWith("$'")) return [text.slice(2, -1)];
  if (text === '$@' || text === '$*') return wordsOf('@', values);
  if (!text.startsWith('${')) return indexed(wordsOf(text.slice(1), values), undefined);
  const inner = text.slice(2, -1);
  if (inner.startsWith('!')) throw new Unreadable(`${clip(text)} names a variable by another`);
  const length = /^#([A-Za-z_][A-Za-z0-9_]*)$/.exec(inner);
  if (length !== null) return [String(wordsOf(length[1] ?? '', values).join(' ').length)];
  const match = /^([A-Za-z_][A-Za-z0-9_]*|\d)(?:\[([^\]]*)\])?([^]*)$/.exec(inner);
  if (match === null) throw new Unreadable(`${clip(text)} is not understood`);
  const [, name = '', index, rest = ''] = match;
  const fallback = /^:?([-=+?])([^]*)$/.exec(rest);
  const value = values.get(name);
  if (fallback !== null && !/^:[ 0-9]/.test(rest)) {
    const isSet =
      value !== undefined && (value.known ? value.words.join('') !== '' || !rest.startsWith(':') : true);
    const [, sign, other = ''] = fallback;
    if (sign === '+') return isSet ? evaluate(other, values, depth + 1) : [''];
    if (!isSet) return sign === '?' ? wordsOf(name, values) : evaluate(other, values, depth + 1);
    return wordsOf(name, values);
  }
  const words = indexed(wordsOf(name, values), index);
  return rest === '' ? words : words.map((one) => transform(one, { rest, text, values, depth }));
}

function indexed(words: readonly string[], index: string | undefined): readonly string[] {
  if (index === '@' || index === '*') return words;
  if (index === undefined) return words.length > 1 ? [words[0] ?? ''] : words;
  if (!/^-?\d+$/.test(index)) throw new Unreadable(`the index ${clip(index)} is not a number`);
  return [words.at(Number(index)) ?? ''];
}

function wordsOf(name: string, values: Values): readonly string[] {
  const value = values.get(name);
  if (value === undefined) throw new Unreadable(`$${name} is not set in the file`);
  if (!value.known) throw new Unreadable(`$${name}: ${value.why}`);
  return value.words;
}

interface Transforming {
  /** What follows the name. */
  readonly rest: string;
  /** The whole expansion, for the error. */
  readonly text: string;
  readonly values: Values;
  readonly depth: number;
}

function transform(text: string, { rest, text: whole, values, depth }: Transforming): string {
  const value = (raw: string): string => unmark(evaluate(raw, values, depth + 1).join(' '));
  const strip = /^(%%|%|##|#)([^]*)$/.exec(rest);
  if (strip !== null) return stripped(text, strip[1] ?? '', value(strip[2] ?? ''));
  if (rest.startsWith('/')) {
    const all = rest.startsWith('//');
    const slash = patternEnd(rest, all ? 2 : 1);
    const pattern = value(rest.slice(all ? 2 : 1, slash));
    const by = value(rest.slice(slash + 1));
    return replaced(text, { pattern, by, all });
  }
  const part = /^:\s*(-?\d+)(?::\s*(-?\d+))?$/.exec(rest);
  if (part !== null) {
    const from = Number(part[1]);
    const after = text.slice(from);
    if (part[2] === undefined) return after;
    return after.slice(0, Number(part[2]));
  }
  if (rest === '^^') return text.toUpperCase();
  if (rest === ',,') return text.toLowerCase();
  if (rest === '^') return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  if (rest === ',') return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
  throw new Unreadable(`${clip(whole)} is not understood`);
}

function patternEnd(rest: string, from: number): number {
  for (let at = from; at < rest.length;) {
    if (rest.charAt(at) === '/') return at;
    at =
      rest.charAt(at) === '$' && rest.charAt(at + 1) === '{'
        ? skipNested(rest, at + 2, '}')
        : skipPiece(rest, at);
  }
  return rest.length;
}

/** Longer texts and patterns with more stars would take long to match. */
const MAX_MATCHED = 4096;
const MAX_STARS = 4;

function globSource(pattern: string): string {
  if (pattern.length > 200 || (pattern.match(/\*/g) ?? []).length > MAX_STARS)
    throw new Unreadable(`the pattern ${clip(pattern)} is too long`);
  return pattern.replaceAll(/\[!?[^\]]+\]|[^]/g, (part) => {
    if (part === '*') return '[^]*';
    if (part === '?') return '[^]';
    if (part.length > 1 && part.startsWith('[')) return part.replace(/^\[!/, '[^').replaceAll('\\', '\\\\');
    return part.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  });
}

function compile(source: string): RegExp {
  try {
    return new RegExp(source, 'g');
  } catch {
    throw new Unreadable(`the pattern ${clip(source)} is not understood`);
  }
}

/** Whether a text is of a pattern with `*`, `?` and `[…]`. @throws Unreadable */
export function globMatches(text: string, pattern: string): boolean {
  if (text.length > MAX_MATCHED) throw new Unreadable('it is too long to match a pattern');
  return compile(`^(?:${globSource(pattern)})$`).test(text);
}

function stripped(text: string, operator: string, pattern: string): string {
  if (text.length > MAX_MATCHED) throw new Unreadable('it is too long to match a pattern');
  const whole = compile(`^(?:${globSource(pattern)})$`);
  const matches = (part: string): boolean => {
    whole.lastIndex = 0;
    return whole.test(part);
  };
  const lengths = [...Array(text.length + 1).keys()];
  if (operator.length === 2) lengths.reverse();
  const front = operator.startsWith('#');
  const found = lengths.find((length) =>
    matches(front ? text.slice(0, length) : text.slice(text.length - length)),
  );
  if (found === undefined) return text;
  return front ? text.slice(found) : text.slice(0, text.length - found);
}

function replaced(
  text: string,
  { pattern, by, all }: { readonly pattern: string; readonly by: string; readonly all: boolean },
): string {
  if (text.length > MAX_MATCHED) throw new Unreadable('it is too long to match a pattern');
  if (pattern === '') return text;
  const anchored = !all && /^[#%]/.test(pattern) ? pattern.charAt(0) : '';
  const body = globSource(anchored === '' ? pattern : pattern.slice(1));
  const source = anchored === '#' ? `^(?:${body})` : anchored === '%' ? `(?:${body})$` : body;
  const expression = compile(source);
  let done = false;
  return bounded(
    text.replaceAll(expression, (match) => {
      if ((done && !all) || (match === '' && anchored === '')) return match;
      done = true;
      return by;
    }),
  );
}

/** `a{b,c}` is `ab ac`; braces without a comma stay. */
function expandBraces(text: string): string[] {
  const open = text.lastIndexOf(BRACES['{']);
  if (open === -1) return [text];
  let texts = [text];
  // The innermost braces are those after the last opening one; each round takes one opening brace away.
  for (let round = 0; round < 50; round++) {
    const next = texts.flatMap(expandInnermost);
    if (next.length > 500) throw new Unreadable('its braces stand for too many words');
    if (next.length === texts.length && next.every((one, index) => one === texts[index])) return next;
    texts = next;
  }
  throw new Unreadable('its braces are nested too deep');
}

function expandInnermost(text: string): string[] {
  const open = text.lastIndexOf(BRACES['{']);
  if (open === -1) return [text];
  const close = text.indexOf(BRACES['}'], open);
  if (close === -1) return [`${text.slice(0, open)}{${text.slice(open + 1)}`];
  const choices = text.slice(open + 1, close).split(BRACES[',']);
  const [head, tail] = [text.slice(0, open), text.slice(close + 1)];
  if (choices.length === 1) return [`${head}{${choices[0] ?? ''}}${tail}`];
  return choices.map((choice) => bounded(`${head}${choice}${tail}`));
}

export const clip = (text: string): string =>
  (text.length > 60 ? `${text.slice(0, 57)}...` : text).replaceAll('\n', ' ');

/** Conditions of a shell on known values: `[ … ]`, `[[ … ]]`, `true`, `false`, patterns of `case`. */
import { globMatches, plain, Unreadable, type Values } from './shell-values.ts';

export type Truth = boolean | 'file' | 'command' | undefined;

const NUMBERS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '-eq': (a, b) => a === b,
  '-ne': (a, b) => a !== b,
  '-lt': (a, b) => a < b,
  '-le': (a, b) => a <= b,
  '-gt': (a, b) => a > b,
  '-ge': (a, b) => a >= b,
};

/**
 * Whether a command is true: `file` where that depends on files, `command` where it is no condition, `undefined` where
 * nobody can tell.
 */
export function testTruth(words: readonly string[], values: Values): Truth {
  const [name = '', ...rest] = words;
  if (name === 'true' || name === ':') return true;
  if (name === 'false') return false;
  if (/^"?\$\{?\w+\}?"?$/.test(name) && rest.length === 0) return ofVariable(name, values);
  if (name === 'test') return ofTest(rest, values, false);
  const closing = name === '[' ? ']' : name === '[[' ? ']]' : undefined;
  if (closing === undefined) return 'command';
  return rest.at(-1) === closing ? ofTest(rest.slice(0, -1), values, name === '[[') : undefined;
}

function ofVariable(name: string, values: Values): Truth {
  try {
    const text = plain(name, values);
    return text === 'true' ? true : text === 'false' ? false : 'command';
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

function ofTest(words: readonly string[], values: Values, globs: boolean): Truth {
  for (const [operator, merge] of [
    ['-o', (a: boolean, b: boolean) => a || b],
    ['-a', (a: boolean, b: boolean) => a && b],
  ] as const) {
    const at = words.indexOf(operator);
    if (at <= 0 || words.length < 4) continue;
    const [left, right] = [
      ofTest(words.slice(0, at), values, globs),
      ofTest(words.slice(at + 1), values, globs),
    ];
    if (typeof left === 'boolean' && typeof right === 'boolean') return merge(left, right);
    return left === 'file' || right === 'file' ? 'file' : undefined;
  }
  if (words[0] === '!') {
    const truth = ofTest(words.slice(1), values, globs);
    return typeof truth === 'boolean' ? !truth : truth;
  }
  try {
    return ofWords(words, values, globs);
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

function ofWords(words: readonly string[], values: Values, globs: boolean): Truth {
  const [first = '', second = '', third = ''] = words;
  if (words.length === 1) return plain(first, values) !== '';
  if (words.length === 2) {
    if (/^-[bcdefghkLprsuwxSO]$/.test(first)) return 'file';
    if (first === '-n') return plain(second, values) !== '';
    return first === '-z' ? plain(second, values) === '' : undefined;
  }
  if (words.length !== 3) return undefined;
  const compare = NUMBERS[second];
  if (compare !== undefined) {
    const [a, b] = [plain(first, values), plain(third, values)];
    return /^-?\d+$/.test(a) && /^-?\d+$/.test(b) ? compare(Number(a), Number(b)) : undefined;
  }
  if (!/^(?:=|==|!=)$/.test(second)) return undefined;
  const [a, b] = [plain(first, values), plain(third, values)];
  const equal = globs && !/["']/.test(third) ? globMatches(a, b) : a === b;
  return (second === '!=') !== equal;
}

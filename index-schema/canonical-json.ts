/**
 * Canonical JSON: one byte sequence for one value. Object keys stand in code point order, numbers are
 * integers, strings are escaped as `JSON.stringify` does, and there is no white space. Walks are iterative and
 * bounded by `MAX_JSON_DEPTH`, so that no input can exhaust the stack.
 */
import { FETCH_OR_MAKE_AGAIN, IcepkgError } from './error.ts';
import { MAX_JSON_DEPTH, MAX_JSON_ITEMS } from './limits.ts';
import { comparePaths } from './path.ts';

type EncodeString = (text: string) => string;

/** A container being written: what is left of it to write. */
interface Level {
  /** Of an object, in order; absent for an array. */
  readonly keys: readonly string[] | undefined;
  readonly members: Readonly<Record<string | number, unknown>>;
  readonly length: number;
  next: number;
}

/**
 * Encodes a plain value; object members that are `undefined` are left out.
 * @throws TypeError where the value has no canonical form (a fraction, a lone surrogate, too deep, a function)
 */
export function canonicalJson(value: unknown): Uint8Array {
  return Buffer.from(write(value, encodeString));
}

/** OLPC canonical JSON, which signed TUF metadata uses: only `"` and `\` are escaped in strings. */
export function tufCanonicalJson(value: unknown): Uint8Array {
  return Buffer.from(write(value, (text) => `"${wellFormed(text).replaceAll(/["\\]/g, '\\$&')}"`));
}

/**
 * Parses bytes that must be canonical already: any other spelling of the value, a duplicate key among
 * them, is refused, so that what is hashed, what is shown and what is used are the same.
 * @param what names the document in the error
 */
export function parseCanonicalJson(bytes: Uint8Array, what: string): unknown {
  const text = decodeText(bytes, what);
  const value = parseText(text, bytes, what);
  let again: string;
  try {
    again = write(value, encodeString);
  } catch (cause) {
    throw new IcepkgError(
      'format-invalid',
      `${what}: ${cause instanceof Error ? cause.message : 'no value'}`,
      { cause, hint: FETCH_OR_MAKE_AGAIN },
    );
  }
  if (text !== again) {
    const at = difference(bytes, Buffer.from(again));
    throw new IcepkgError('format-invalid', `${what}: not canonical JSON${at}`, {
      hint: 'Keys must be sorted and unique, with no white space; make the document with icepkg itself',
    });
  }
  return value;
}

/** Parses any JSON in valid UTF-8, bounded in depth. Duplicate keys are not noticed: the last one wins. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  return parseText(decodeText(bytes, what), bytes, what);
}

function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new IcepkgError('format-invalid', `${what}: not valid UTF-8`, { cause, hint: FETCH_OR_MAKE_AGAIN });
  }
}

function parseText(text: string, bytes: Uint8Array, what: string): unknown {
  checkShape(bytes, what);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new IcepkgError('format-invalid', `${what}: not valid JSON`, { cause, hint: FETCH_OR_MAKE_AGAIN });
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/** Refuses nesting and numbers of members beyond the bounds before any parser sees them. */
function checkShape(bytes: Uint8Array, what: string): void {
  let depth = 0;
  let items = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
    } else if (byte === COMMA) {
      if (++items > MAX_JSON_ITEMS) {
        throw new IcepkgError('format-invalid', `${what}: holds more than ${MAX_JSON_ITEMS} items`, {
          hint: FETCH_OR_MAKE_AGAIN,
        });
      }
    } else if (byte === 0x7b || byte === 0x5b) {
      depth++;
      if (depth > MAX_JSON_DEPTH) {
        throw new IcepkgError('format-invalid', `${what}: nested deeper than ${MAX_JSON_DEPTH} levels`, {
          hint: FETCH_OR_MAKE_AGAIN,
        });
      }
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
}

function write(root: unknown, encode: EncodeString): string {
  let text = '';
  const stack: Level[] = [];
  const open = (value: unknown): void => {
    if (value === null || typeof value !== 'object') {
      text += encodeScalar(value, encode);
      return;
    }
    if (stack.length >= MAX_JSON_DEPTH) throw new TypeError(`nested deeper than ${MAX_JSON_DEPTH} levels`);
    const level = levelOf(value);
    text += level.keys === undefined ? '[' : '{';
    stack.push(level);
  };
  open(root);
  for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
    if (level.next === level.length) {
      text += level.keys === undefined ? ']' : '}';
      stack.pop();
      continue;
    }
    const index = level.next++;
    if (index > 0) text += ',';
    const key = level.keys?.[index];
    if (key !== undefined) text += `${encode(key)}:`;
    open(level.members[key ?? index]);
  }
  return text;
}

function levelOf(value: object): Level {
  const members = value as Level['members'];
  if (Array.isArray(value)) return { keys: undefined, members, length: value.length, next: 0 };
  let keys = Object.keys(members);
  if (keys.some((key) => members[key] === undefined)) keys = keys.filter((key) => members[key] !== undefined);
  return { keys: sortKeys(keys), members, length: keys.length, next: 0 };
}

/** Sorts only where needed: what was parsed from canonical bytes is in order already. */
function sortKeys(keys: string[]): string[] {
  for (let i = 1; i < keys.length; i++) {
    if (comparePaths(keys[i - 1] ?? '', keys[i] ?? '') > 0) return keys.sort(comparePaths);
  }
  return keys;
}

function encodeScalar(value: unknown, encode: EncodeString): string {
  switch (typeof value) {
    case 'string':
      return encode(value);
    case 'number':
      if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is not an integer of at most 53 bits`);
      return Object.is(value, -0) ? '0' : String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    default:
      if (value === null) return 'null';
      throw new TypeError(`${typeof value} has no JSON form`);
  }
}

/** Printable ASCII without `"` and `\`, which is nearly every string: it is its own encoding. */
const PLAIN = /^[ !#-[\]-~]*$/;

function encodeString(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(wellFormed(text));
}

function wellFormed(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('a string holds half a surrogate pair');
  return text;
}

/** Says where two encodings part, which for a duplicate key is the place of the key. */
function difference(bytes: Uint8Array, canonical: Uint8Array): string {
  const length = Math.min(bytes.length, canonical.length);
  let at = 0;
  while (at < length && bytes[at] === canonical[at]) at++;
  return ` (byte ${at})`;
}

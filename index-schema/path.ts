/** Paths as packages may name them: relative to the root, canonical, and printable. */
import { MAX_NAME_BYTES, MAX_PATH_BYTES } from './limits.ts';

const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]/u;

/** True for `usr/bin/env`; false for absolute, empty, `.`/`..`, `a//b`, trailing slash, over-long or unprintable. */
export function isSafePath(path: string): boolean {
  if (path === '' || UNPRINTABLE.test(path) || Buffer.byteLength(path) > MAX_PATH_BYTES) return false;
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..') return false;
    if (part.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(part) > MAX_NAME_BYTES) return false;
  }
  return path.isWellFormed();
}

/** Byte order of the UTF-8 encodings, which is code point order and the canonical order of every list of paths. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;

/** The directory of a path, `''` at the top. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

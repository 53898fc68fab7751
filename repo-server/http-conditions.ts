/** Conditional and range requests (RFC 9110, sections 13 and 14), as pure functions of headers. */
import type { IncomingHttpHeaders } from 'node:http';

export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string;
  /** Whole seconds. */
  readonly lastModified: Date;
}

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/** 13.2.2: `If-None-Match` decides where it is there, else `If-Modified-Since`. */
export function isNotModified(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const none = headers['if-none-match'];
  if (none !== undefined) {
    const tags = none.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    return none.trim() === '*' || tags.includes(etag);
  }
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return !Number.isNaN(since) && lastModified.getTime() <= since;
}

/** 13.1.5: false where the range is of another content than the one here; then the whole is sent. */
export function ifRangeHolds(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const condition = headers['if-range'];
  if (typeof condition !== 'string') return true;
  if (condition.startsWith('"')) return condition === etag;
  return !condition.startsWith('W/') && Date.parse(condition) === lastModified.getTime();
}

/**
 * 14.1.2: one range of bytes. Other units, several ranges and what cannot be parsed are ignored, as the
 * specification allows; the whole is sent then.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= size ? 'unsatisfiable' : { start, end };
}

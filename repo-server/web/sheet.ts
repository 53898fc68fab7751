/** Sends what was drawn: with its digest as entity tag, compressed where that helps, with headers that let nothing in from elsewhere. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

export interface Drawn {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** Another content would have another address. */
  readonly immutable?: boolean;
  /** Holds for this moment only. */
  readonly passing?: boolean;
}

/** A packet holds less than this anyway. */
const LEAST_COMPRESSED = 1200;

const SECURITY = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** Something drawn, with what was made of it for one kind of reader each; worth keeping. */
export class Sheet {
  readonly #drawn: Drawn;
  readonly #bodies = new Map<Coding, Buffer>();
  readonly #tag: string;

  constructor(drawn: Drawn) {
    this.#drawn = drawn;
    this.#tag = createHash('sha256').update(drawn.body).digest('base64url').slice(0, 22);
  }

  get size(): number {
    return this.#drawn.body.length;
  }

  send(request: IncomingMessage, response: ServerResponse): void {
    const { status, type, body, immutable = false } = this.#drawn;
    const coding =
      body.length < LEAST_COMPRESSED ? 'identity' : codingFor(request.headers['accept-encoding']);
    // Weak: each coding has other bytes.
    const etag = `W/"${this.#tag}"`;
    const headers = {
      ...SECURITY,
      'Cache-Control': immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      ...(body.length < LEAST_COMPRESSED ? {} : { Vary: 'Accept-Encoding' }),
      ...(status === 200 ? { ETag: etag } : {}),
    };
    if (status === 200 && matches(request.headers['if-none-match'], etag)) {
      response.writeHead(304, headers).end();
      return;
    }
    const bytes = this.#encoded(coding);
    response.writeHead(status, {
      ...headers,
      'Content-Type': type,
      'Content-Length': bytes.length,
      ...(coding === 'identity' ? {} : { 'Content-Encoding': coding }),
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }

  #encoded(coding: Coding): Buffer {
    const known = this.#bodies.get(coding);
    if (known !== undefined) return known;
    const bytes = encode(Buffer.from(this.#drawn.body), coding);
    this.#bodies.set(coding, bytes);
    return bytes;
  }
}

type Coding = 'br' | 'gzip' | 'identity';

/** Levels that cost less than a millisecond for a page. */
function encode(bytes: Buffer, coding: Coding): Buffer {
  switch (coding) {
    case 'br':
      return brotliCompressSync(bytes, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: 4,
          [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      });
    case 'gzip':
      return gzipSync(bytes, { level: 5 });
    case 'identity':
      return bytes;
  }
}

/** RFC 9110, section 12.5.3; a weight of 0 refuses a coding. */
function codingFor(header: string | string[] | undefined): Coding {
  const accepted = new Set(
    String(header ?? '')
      .toLowerCase()
      .split(',')
      .filter((part) => !/;\s*q=0(?:\.0*)?\s*$/.test(part))
      .map((part) => part.split(';', 1)[0]?.trim()),
  );
  return accepted.has('br') ? 'br' : accepted.has('gzip') ? 'gzip' : 'identity';
}

/** Weak comparison, as section 13.1.2 wants it. */
const matches = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  (header.trim() === '*' ||
    header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag.replace(/^W\//, '')));

/** Sends a file: whole, a range of it, or only the word that it has not changed. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { sendBytes, sendPart } from './http-body.ts';
import { ifRangeHolds, isNotModified, parseRange, type Validators } from './http-conditions.ts';
import type { ServedFile } from './http-path.ts';

export const SAFE_HEADERS = { 'X-Content-Type-Options': 'nosniff' } as const;

/** A file with all that its answers say of it. */
export interface FileToSend {
  readonly size: number;
  readonly validators: Validators;
  /** Of every answer. */
  readonly headers: OutgoingHttpHeaders;
  /** Of the whole file. */
  readonly wholeHeaders: OutgoingHttpHeaders;
  /** In memory, or open. */
  readonly content: { readonly bytes: Uint8Array } | { readonly fd: number };
}

export function fileToSend(served: ServedFile, content: FileToSend['content']): FileToSend {
  const lastModified = new Date(Math.floor(Number(served.mtimeNs / 1_000_000_000n)) * 1000);
  const validators = { etag: etagOf(served), lastModified };
  const headers = {
    ...SAFE_HEADERS,
    'Accept-Ranges': 'bytes',
    'Cache-Control': served.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: validators.etag,
    'Last-Modified': lastModified.toUTCString(),
  };
  const wholeHeaders = { ...headers, 'Content-Type': served.type, 'Content-Length': served.size };
  return { size: served.size, validators, headers, wholeHeaders, content };
}

/** Strong: a file is replaced by rename, so another content is another inode or another time. */
export const etagOf = ({ ino, size, mtimeNs }: ServedFile): string =>
  `"${ino.toString(36)}-${size.toString(36)}-${mtimeNs.toString(36)}"`;

/** To a request that is GET or HEAD. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: FileToSend,
): Promise<void> | undefined {
  const { size, validators, headers, wholeHeaders } = file;
  if (isNotModified(request.headers, validators)) {
    response.writeHead(304, headers).end();
    return undefined;
  }
  const asked = ifRangeHolds(request.headers, validators) ? request.headers.range : undefined;
  const range = parseRange(asked, size);
  if (range === 'unsatisfiable') {
    const nothing = { 'Content-Range': `bytes */${size}`, 'Cache-Control': 'no-store', 'Content-Length': 0 };
    response.writeHead(416, { ...headers, ...nothing }).end();
    return undefined;
  }
  if (range === undefined) response.writeHead(200, wholeHeaders);
  else {
    response.writeHead(206, {
      ...wholeHeaders,
      'Content-Length': range.end - range.start + 1,
      'Content-Range': `bytes ${range.start}-${range.end}/${size}`,
    });
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  if (request.method === 'HEAD' || end < start) {
    response.end();
    return undefined;
  }
  const { content } = file;
  if ('fd' in content) return sendPart(response, { fd: content.fd, start, length: end - start + 1 });
  return sendBytes(response, content.bytes.subarray(start, end + 1));
}

/** Answers one request: which file, whether at all, whole or in part. */
import { closeSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendPart } from './http-body.ts';
import { ifRangeHolds, isNotModified, parseRange, type Validators } from './http-conditions.ts';
import type { HealthReport } from './http-health.ts';
import { openServed, type ServedFile } from './http-path.ts';

export interface Exchange {
  /** Real path of the repository. */
  readonly root: string;
  readonly health: HealthReport;
  /** What of the request's path is inside the repository, still encoded. */
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const SAFE_HEADERS = { 'X-Content-Type-Options': 'nosniff' } as const;

export async function answer({ root, health, path, request, response }: Exchange): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    refuse(response, 405, { Allow: 'GET, HEAD', Connection: 'close' });
    return;
  }
  if (path === '/health') {
    const report = health.report();
    const status = report.status === 'ok' ? 200 : 503;
    sendText(request, response, { status, type: 'application/json', body: `${JSON.stringify(report)}\n` });
    return;
  }
  const served = openServed(root, path);
  if (typeof served === 'number') {
    refuse(response, served);
    return;
  }
  try {
    await sendFile(request, response, served);
  } finally {
    closeSync(served.fd);
  }
}

async function sendFile(request: IncomingMessage, response: ServerResponse, file: ServedFile): Promise<void> {
  const validators = validatorsOf(file);
  const headers = {
    ...SAFE_HEADERS,
    'Accept-Ranges': 'bytes',
    'Cache-Control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: validators.etag,
    'Last-Modified': validators.lastModified.toUTCString(),
  };
  if (isNotModified(request.headers, validators)) {
    response.writeHead(304, headers).end();
    return;
  }
  const asked = ifRangeHolds(request.headers, validators) ? request.headers.range : undefined;
  const range = parseRange(asked, file.size);
  if (range === 'unsatisfiable') {
    refuse(response, 416, { ...headers, 'Content-Range': `bytes */${file.size}` });
    return;
  }
  const start = range?.start ?? 0;
  const length = range === undefined ? file.size : range.end - range.start + 1;
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    'Content-Type': file.type,
    'Content-Length': length,
    ...(range === undefined ? {} : { 'Content-Range': `bytes ${range.start}-${range.end}/${file.size}` }),
  });
  if (request.method === 'HEAD' || length === 0) {
    response.end();
    return;
  }
  await sendPart(response, { fd: file.fd, start, length });
}

/** Strong: a file is replaced by rename, so another content is another inode or another time. */
function validatorsOf({ ino, size, mtimeNs }: ServedFile): Validators {
  const etag = `"${ino.toString(36)}-${size.toString(36)}-${mtimeNs.toString(36)}"`;
  return { etag, lastModified: new Date(Math.floor(Number(mtimeNs / 1_000_000_000n)) * 1000) };
}

function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  { status, type, body }: { readonly status: number; readonly type: string; readonly body: string },
): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    ...SAFE_HEADERS,
    'Cache-Control': 'no-cache',
    'Content-Type': type,
    'Content-Length': bytes.length,
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

/** Without a body. */
export function refuse(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response
    .writeHead(status, { ...SAFE_HEADERS, 'Cache-Control': 'no-store', ...headers, 'Content-Length': 0 })
    .end();
}

/** A web server for static files in its plainest form: whole files, and ranges from an offset to the end. */
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

export function serveFrom(folder: string, request: IncomingMessage, response: ServerResponse): unknown {
  const file = join(folder, decodeURIComponent(request.url ?? ''));
  if (!existsSync(file)) return response.writeHead(404).end();
  const bytes = readFileSync(file);
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start === 0) return response.end(bytes);
  const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  return response.writeHead(206, { 'content-range': range }).end(bytes.subarray(start));
}

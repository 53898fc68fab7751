/** Answers one request: which file, whether at all, whole or in part. */
import { closeSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HotFiles } from './hot-files.ts';
import { fileToSend, SAFE_HEADERS, sendFile } from './http-file.ts';
import type { HealthReport } from './http-health.ts';
import { openServed, type ServedFile } from './http-path.ts';
import type { SharedFiles } from './shared-files.ts';

/** What is open or in memory between requests. */
export interface FilesAtHand {
  readonly shared: SharedFiles;
  /** Unless every request must be seen. */
  readonly hot: HotFiles | undefined;
}

export interface Exchange {
  /** Real path of the repository. */
  readonly root: string;
  readonly health: HealthReport;
  /** What of the request's path is inside the repository, still encoded. */
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly files: FilesAtHand;
}

export async function answer({ root, health, path, request, response, files }: Exchange): Promise<void> {
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
    refuse(response, served, served === 503 ? { 'Retry-After': '10' } : {});
    return;
  }
  const kept = keepingWhole(served, () => files.hot?.offer(request.url ?? '', served));
  if (kept === undefined) {
    const send = async (fd: number): Promise<void> => sendFile(request, response, fileToSend(served, { fd }));
    await files.shared.during(served, send);
    return;
  }
  closeSync(served.fd);
  await sendFile(request, response, kept);
}

/** Closes the file where `work` fails. */
function keepingWhole<T>({ fd }: ServedFile, work: () => T): T {
  try {
    return work();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
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

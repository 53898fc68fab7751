/** Fetches a source by URL into a file. Its sha256 is checked by the caller, so any transport will do. */
import * as fs from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { IcepkgError, isErrno } from '#schema/error';

/** No source is larger, in bytes. */
const MAX_SOURCE_BYTES = 4 * 1024 * 1024 * 1024;
/** Without one byte for so long a transfer is given up, in milliseconds. */
const STALL = 60_000;

export async function fetchUrl(url: string, file: string): Promise<string[]> {
  try {
    if (url.startsWith('file:')) fs.copyFileSync(fileURLToPath(url), file);
    else await download(url, file);
  } catch (cause) {
    if (cause instanceof IcepkgError) throw cause;
    const why = cause instanceof Error ? describe(cause) : String(cause);
    throw new IcepkgError('source-failed', why, { cause });
  }
  return [file];
}

async function download(url: string, file: string): Promise<void> {
  const stalled = new AbortController();
  let timer = setTimeout(() => stalled.abort(), STALL);
  try {
    const response = await fetch(url, { signal: stalled.signal, redirect: 'follow' });
    if (!response.ok || response.body === null)
      throw new IcepkgError('source-failed', `the server answered ${response.status}`);
    let received = 0;
    const body = Readable.fromWeb(response.body);
    body.on('data', (chunk: Uint8Array) => {
      received += chunk.length;
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(), STALL);
      if (received > MAX_SOURCE_BYTES) stalled.abort();
    });
    await pipeline(body, fs.createWriteStream(file));
  } finally {
    clearTimeout(timer);
  }
}

function describe(error: Error): string {
  if (isErrno(error, 'ENOENT', 'ENOTDIR')) return 'there is no such file';
  if (error.name === 'AbortError') return 'the transfer stalled or is too large';
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** Sends a part of an open file: as fast as the client takes it, with little memory for a client that takes it slowly. */
import * as fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';

const read = promisify(fs.read);

/** What a client that is slow holds in memory at most. */
const FIRST_CHUNK = 64 * 1024;
/** For clients that keep up. */
const NEXT_CHUNK = 256 * 1024;

export interface FilePart {
  readonly fd: number;
  readonly start: number;
  readonly length: number;
}

/** Ends the response; where the client has gone or the file is shorter by now, it ends it by hanging up. */
export async function sendPart(response: ServerResponse, { fd, start, length }: FilePart): Promise<void> {
  if (length <= FIRST_CHUNK) {
    const chunk = Buffer.allocUnsafe(length);
    // Metadata and small packages: handing this to a thread takes longer than reading it.
    if (fs.readSync(fd, chunk, 0, length, start) < length) response.destroy();
    else response.end(chunk);
    return;
  }
  let chunk = Buffer.allocUnsafeSlow(FIRST_CHUNK);
  for (let at = start, left = length; left > 0;) {
    const { bytesRead } = await read(fd, chunk, 0, Math.min(chunk.length, left), at);
    // Only hanging up tells the other side that this was not all.
    if (bytesRead === 0 || response.destroyed) return void response.destroy();
    at += bytesRead;
    left -= bytesRead;
    const gone = write(response, chunk.subarray(0, bytesRead));
    // The chunk is filled again once nothing of it waits to go out.
    if (response.writableLength > 0) await gone;
    else if (chunk.length < NEXT_CHUNK) chunk = Buffer.allocUnsafeSlow(NEXT_CHUNK);
  }
  response.end();
}

/**
 * The same from memory that all clients share. Of what waits to go out over TLS each of them has an encrypted copy, so there it
 * goes piece by piece.
 */
export async function sendBytes(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  const isEncrypted = response.socket !== null && 'encrypted' in response.socket;
  if (!isEncrypted || bytes.length <= FIRST_CHUNK) return void response.end(bytes);
  for (let at = 0; at < bytes.length && !response.destroyed; at += FIRST_CHUNK) {
    await write(response, bytes.subarray(at, at + FIRST_CHUNK));
  }
  response.end();
}

/**
 * Until the piece has gone out, or nobody takes it any more. That it has is told of every piece, while `drain` comes only after
 * one that is as long as the high-water mark.
 */
function write(response: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('close', done);
      resolve();
    };
    response.on('close', done).write(piece, done);
    if (response.destroyed) done();
  });
}

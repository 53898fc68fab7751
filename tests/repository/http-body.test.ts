/** Bodies that are sent piece by piece, to clients that take every piece late. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sendBytes, sendPart } from '#repo-server/http-body';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'icepkg-body-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Answers over a connection, of TLS by its looks, that takes each piece a little later. */
function answering(onPiece: (piece: Buffer) => void): ServerResponse {
  const connection = new Duplex({
    read: () => undefined,
    write: (piece: Buffer, _encoding, done) => {
      setImmediate(() => {
        onPiece(Buffer.from(piece));
        done();
      });
    },
  });
  const socket = Object.assign(connection, { encrypted: true }) as Duplex as Socket;
  const response = new ServerResponse(new IncomingMessage(socket));
  response.assignSocket(socket);
  return response;
}

const ended = (response: ServerResponse): Promise<unknown> =>
  new Promise((resolve) => response.on('finish', resolve));

describe.each([1, 65_536, 65_537, 3 * 65_536 + 2392, 700_001])('%i bytes', (length) => {
  const content = Buffer.from(Array.from({ length }, (_, at) => (at * 7919) % 251));

  test.each(['file', 'memory'])('from the %s', async (from) => {
    const taken: Buffer[] = [];
    const response = answering((piece) => taken.push(piece));
    response.writeHead(200, { 'Content-Length': length });
    const file = join(folder, 'content');
    writeFileSync(file, content);
    const fd = openSync(file, 'r');
    const finish = ended(response);
    await (from === 'file' ? sendPart(response, { fd, start: 0, length }) : sendBytes(response, content));
    await finish;
    closeSync(fd);
    expect(Buffer.concat(taken).subarray(-length).equals(content)).toBe(true);
  });
});

test('a client that leaves ends the wait', async () => {
  const response = answering(() => response.destroy());
  response.writeHead(200);
  await sendBytes(response, Buffer.alloc(200_000));
  expect(response.destroyed).toBe(true);
});

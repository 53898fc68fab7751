/** The server, asked byte for byte as no client would: what is malformed, doubled, absurd or never ends. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let server: RepositoryServer;
let port: number;
const FILE = '/note.txt';
const CONTENT = 'what is public';

beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish({ name: 'zlib' });
  writeFileSync(join(depot.repository, FILE), CONTENT);
  writeFileSync(join(depot.repository, 'empty.txt'), '');
  mkdirSync(join(depot.folder, 'outside'));
  writeFileSync(join(depot.folder, 'outside/secret'), 'SECRET');
  symlinkSync('../outside', join(depot.repository, 'packages/out'));
  symlinkSync(join(depot.folder, 'outside/secret'), join(depot.repository, 'packages/absolute.icepkg'));
  symlinkSync('loop', join(depot.repository, 'loop'));
  symlinkSync('/proc/self/environ', join(depot.repository, 'environ'));
  symlinkSync('/dev/zero', join(depot.repository, 'zero'));
  server = await serve(depot.repository);
  port = Number(new URL(server.url).port);
});
afterAll(async () => {
  await server.close();
  depot.dispose();
});

/** Sends the bytes and returns all that comes until the server hangs up. */
function exchange(text: string): Promise<string> {
  return new Promise((resolve) => {
    let reply = '';
    const socket = connect(port, '127.0.0.1', () => void socket.write(text, 'latin1'));
    socket.on('data', (part) => (reply += part.toString('latin1')));
    socket.on('error', () => resolve(reply));
    socket.on('close', () => resolve(reply));
  });
}

const get = (path: string, ...headers: readonly string[]): Promise<string> =>
  exchange([`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'));
const statusOf = (reply: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(reply)?.[1]);
const bodyOf = (reply: string): string => reply.slice(reply.indexOf('\r\n\r\n') + 4);

describe('no spelling of a path leads out', () => {
  test.each([
    '/../outside/secret',
    '/%2e%2e/outside/secret',
    '/%2E%2E%2Foutside%2Fsecret',
    '/%252e%252e/outside/secret',
    '/%252e%252e%252foutside%252fsecret',
    '/..%255coutside%255csecret',
    '/packages/..%2f..%2foutside/secret',
    '/packages\\..\\..\\outside\\secret',
    '/..%5coutside%5csecret',
    '/%c0%ae%c0%ae/outside/secret',
    '/%e0%80%ae%e0%80%ae/outside/secret',
    '/%c0%af..%c0%afoutside',
    '/note.txt%00',
    '/note.txt%00/../../outside/secret',
    '/%u002e%u002e/outside/secret',
    '/.%2e/outside/secret',
    '/..;/outside/secret',
    '/packages/out/secret',
    '/packages/absolute.icepkg',
    '/packages/out',
    '/loop',
    '/environ',
    '/zero',
    '/%2eicepkg/pool.json',
    '/x/%2e%2e/.icepkg/pool.json',
    'http://x/../outside/secret',
    'http://x/.icepkg/pool.json',
    '*',
    '/?/../../outside/secret/..%00',
  ])('%s', async (path) => {
    const reply = await get(path);
    expect(reply).not.toContain('SECRET');
    expect(reply).not.toContain('PATH=');
    if (path.startsWith('/?')) expect(statusOf(reply)).toBe(200);
    else expect([400, 404]).toContain(statusOf(reply));
    if (!path.startsWith('/?')) expect(bodyOf(reply)).toBe('');
  });
});

describe('an absurd range', () => {
  test.each<[string, number, string]>([
    [`bytes=${Array(2000).fill('0-0').join(',')}`, 200, CONTENT],
    ['bytes=3-1', 200, CONTENT],
    ['bytes=0-0,-1', 200, CONTENT],
    ['bytes=-0', 416, ''],
    ['bytes=14-', 416, ''],
    ['bytes=99999999999999999999999-', 416, ''],
    [`bytes=${'9'.repeat(4000)}-`, 416, ''],
    [`bytes=0-${'9'.repeat(4000)}`, 206, CONTENT],
    [`bytes=-${'9'.repeat(4000)}`, 206, CONTENT],
    ['bytes=0x1-0x2', 200, CONTENT],
    ['bytes=-5-1', 200, CONTENT],
    ['bytes=1e1-', 200, CONTENT],
    ['bytes=0-18446744073709551616', 206, CONTENT],
    ['bytes=+1-2', 200, CONTENT],
    ['bytes=13-13', 206, CONTENT.slice(-1)],
  ])('%.40s', async (range, status, body) => {
    const reply = await get(FILE, `Range: ${range}`);
    expect([statusOf(reply), bodyOf(reply)]).toEqual([status, body]);
  });

  test('two of them are never joined to one', async () => {
    const reply = await get(FILE, 'Range: bytes=0-1', 'Range: bytes=5-6');
    expect([200, 206, 400]).toContain(statusOf(reply));
    expect(Number(/content-length: (\d+)/i.exec(reply)?.[1] ?? 0)).toBe(bodyOf(reply).length);
  });

  test('of nothing cannot be satisfied, and the whole of nothing is nothing', async () => {
    expect(statusOf(await get('/empty.txt', 'Range: bytes=0-'))).toBe(416);
    expect(statusOf(await get('/empty.txt', 'Range: bytes=-1'))).toBe(416);
    const whole = await get('/empty.txt');
    expect([statusOf(whole), bodyOf(whole)]).toEqual([200, '']);
  });
});

describe('conditions and HEAD', () => {
  test.each<[readonly string[], number]>([
    [['If-None-Match: *'], 304],
    [[`If-None-Match: ${'"x", '.repeat(2000)}"y"`], 200],
    [['If-Modified-Since: nonsense'], 200],
    [['If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT'], 200],
    [['If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT'], 304],
    [['If-None-Match: *', 'Range: bytes=0-1'], 304],
    [['If-Range: nonsense', 'Range: bytes=0-1'], 200],
    [['If-Range: W/"x"', 'Range: bytes=0-1'], 200],
  ])('%.40s', async (headers, status) => {
    expect(statusOf(await get(FILE, ...headers))).toBe(status);
  });

  test('HEAD never has a body, whatever the answer', async () => {
    for (const path of [FILE, '/', '/health', '/missing', '/%00', '/empty.txt']) {
      const reply = await exchange(`HEAD ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect([path, bodyOf(reply)]).toEqual([path, '']);
    }
    const ranged = `HEAD ${FILE} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nConnection: close\r\n\r\n`;
    expect(bodyOf(await exchange(ranged))).toBe('');
  });
});

describe('one request is never taken for two', () => {
  const smuggled = `GET ${FILE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
  test.each([
    `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n${smuggled}`,
    `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef${smuggled}`,
    `GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
    `GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n${smuggled}`,
    `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1 1\r\n\r\n${smuggled}`,
    `GET / HTTP/1.1\r\n Host: x\r\n\r\n${smuggled}`,
    `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n${smuggled}`,
  ])('%#', async (text) => {
    expect(await exchange(text)).not.toContain(CONTENT);
  });
});

test('too many headers, headers too long and lines that never end are refused', async () => {
  const many = Array.from({ length: 5000 }, (_, index) => `X-${index}: a`);
  expect(statusOf(await get(FILE, ...many))).toBe(431);
  expect(statusOf(await get(FILE, `Cookie: ${'a'.repeat(1024 * 1024)}`))).toBe(431);
  expect([400, 404, 414, 431]).toContain(statusOf(await get(`/${'a'.repeat(1024 * 1024)}`)));
});

test('a file that is read slowly holds up nobody', async () => {
  const big = join(depot.repository, 'big.txt');
  writeFileSync(big, Buffer.alloc(8 * 1024 * 1024, 'x'));
  const slow = Array.from({ length: 20 }, () => {
    const socket = connect(
      port,
      '127.0.0.1',
      () => void socket.write('GET /big.txt HTTP/1.1\r\nHost: x\r\n\r\n'),
    );
    return socket.pause().on('error', () => undefined);
  });
  expect(bodyOf(await get(FILE))).toBe(CONTENT);
  for (const socket of slow) socket.destroy();
  expect(readFileSync(big)).toHaveLength(8 * 1024 * 1024);
});

test('half a request on each of hundreds of connections holds up nobody, and costs little', async () => {
  const before = process.memoryUsage().rss;
  const opened = await Promise.all(
    Array.from(
      { length: 900 },
      () =>
        new Promise<Socket>((resolve) => {
          const socket = connect(port, '127.0.0.1', () => {
            socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
            resolve(socket);
          });
          socket.on('error', () => resolve(socket));
        }),
    ),
  );
  expect(bodyOf(await get(FILE))).toBe(CONTENT);
  expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
  for (const socket of opened) socket.destroy();
});

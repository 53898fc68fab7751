/** The server, asked as strangers ask: whole files, ranges, conditions, and paths that lead elsewhere. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let server: RepositoryServer;
const PACKAGE = 'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg';
let content: Buffer;

beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish(
    { name: 'zlib', files: { 'usr/lib/libz.so.1': 'content '.repeat(1000) } },
    { name: 'other' },
  );
  content = readFileSync(join(depot.repository, PACKAGE));
  server = await serve(depot.repository);
});
afterAll(async () => {
  await server.close();
  depot.dispose();
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    // The path goes out as it is, which `fetch` would not do with `..`.
    const sent = httpRequest({ hostname, port, path, headers, method, agent: false }, (reply) => {
      const parts: Buffer[] = [];
      reply.on('data', (part: Buffer) => parts.push(part));
      reply.on('end', () =>
        resolve({ status: reply.statusCode, headers: reply.headers, body: Buffer.concat(parts) }),
      );
      reply.on('error', reject);
    });
    sent.on('error', reject).end();
  });
}

test('every public file is served byte for byte, and nothing of the private folder', async () => {
  for (const entry of readdirSync(depot.repository, { recursive: true, encoding: 'utf8' })) {
    const file = join(depot.repository, entry);
    const { status, body } = await ask(`/${entry}`);
    if (statSync(file).isDirectory() || entry.startsWith('.icepkg'))
      expect([entry, status]).toEqual([entry, 404]);
    else expect([entry, status, body.equals(readFileSync(file))]).toEqual([entry, 200, true]);
  }
});

test('a client refreshes over it', async () => {
  const candidates = await loadIndexes(depot.root({ mirror: server.url }), { refresh: 'force' });
  expect(candidates.map(({ record }) => record.name)).toContain('zlib');
});

test.each([
  ['bytes=0-0', 0, 1],
  ['bytes=10-99', 10, 100],
  ['bytes=100-', 100, undefined],
  ['bytes=-7', -7, undefined],
  ['bytes=0-999999999', 0, undefined],
  ['bytes=-999999999', 0, undefined],
])('%s is answered with that part', async (range, start, end) => {
  const { status, headers, body } = await ask(`/${PACKAGE}`, { range });
  const expected = content.subarray(start, end);
  const first = start < 0 ? content.length + start : start;
  expect(status).toBe(206);
  expect(headers['content-range']).toBe(`bytes ${first}-${first + expected.length - 1}/${content.length}`);
  expect(headers['content-length']).toBe(String(expected.length));
  expect(body.equals(expected)).toBe(true);
});

test.each(['bytes=0-1,4-5', 'bytes=5-2', 'bytes=-', 'bytes=a-b', 'lines=1-2', 'bytes'])(
  '%s is answered with the whole',
  async (range) => {
    const { status, headers, body } = await ask(`/${PACKAGE}`, { range });
    expect([status, headers['content-range'], body.equals(content)]).toEqual([200, undefined, true]);
  },
);

test.each(['bytes=999999999-', 'bytes=-0'])('%s cannot be satisfied', async (range) => {
  const { status, headers, body } = await ask(`/${PACKAGE}`, { range });
  expect([status, headers['content-range'], body.length]).toEqual([416, `bytes */${content.length}`, 0]);
});

test('conditions: unchanged costs no body, and a part of something else is never sent', async () => {
  const { headers } = await ask(`/${PACKAGE}`);
  const etag = headers.etag ?? '';
  const modified = headers['last-modified'] ?? '';
  expect(etag).toMatch(/^"[^"]+"$/);
  const statusOf = async (conditions: Record<string, string>): Promise<number | undefined> =>
    (await ask(`/${PACKAGE}`, conditions)).status;
  expect(await statusOf({ 'if-none-match': etag })).toBe(304);
  expect(await statusOf({ 'if-none-match': `"x", W/${etag}` })).toBe(304);
  expect(await statusOf({ 'if-none-match': '"x"' })).toBe(200);
  expect(await statusOf({ 'if-modified-since': modified })).toBe(304);
  expect(await statusOf({ 'if-none-match': '"x"', 'if-modified-since': modified })).toBe(200);
  expect(await statusOf({ range: 'bytes=1-2', 'if-range': etag })).toBe(206);
  expect(await statusOf({ range: 'bytes=1-2', 'if-range': modified })).toBe(206);
  expect(await statusOf({ range: 'bytes=1-2', 'if-range': '"x"' })).toBe(200);
  expect(await statusOf({ range: 'bytes=1-2', 'if-range': `W/${etag}` })).toBe(200);
});

test('the tag changes with the content, even where size and time to the second do not', async () => {
  const file = join(depot.repository, 'note.txt');
  writeFileSync(file, 'one');
  const before = (await ask('/note.txt')).headers.etag;
  writeFileSync(`${file}.new`, 'two');
  renameSync(`${file}.new`, file);
  expect((await ask('/note.txt')).headers.etag).not.toBe(before);
});

test('what never changes may be kept for ever, the rest is asked for again', async () => {
  const cache = async (path: string): Promise<string | undefined> =>
    (await ask(path)).headers['cache-control'];
  expect(await cache(`/${PACKAGE}`)).toContain('immutable');
  expect(await cache('/channels/stable/metadata/1.targets.json')).toContain('immutable');
  expect(await cache('/channels/stable/metadata/timestamp.json')).toBe('no-cache');
  expect(await cache('/channels/stable/metadata/2.root.json')).toBe('no-store');
});

test('HEAD tells what GET would, without the body; other methods are refused', async () => {
  const head = await ask(`/${PACKAGE}`, {}, 'HEAD');
  expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
    200,
    String(content.length),
    0,
  ]);
  const post = await ask(`/${PACKAGE}`, {}, 'POST');
  expect([post.status, post.headers.allow]).toEqual([405, 'GET, HEAD']);
});

test('no path leads out of the repository, or to what is private in it', async () => {
  writeFileSync(join(depot.folder, 'secret'), 'secret');
  mkdirSync(join(depot.folder, 'outside'));
  writeFileSync(join(depot.folder, 'outside/file'), 'secret');
  symlinkSync('../secret', join(depot.repository, 'link'));
  symlinkSync('../outside', join(depot.repository, 'folder'));
  symlinkSync('.icepkg/pool.json', join(depot.repository, 'pool'));
  writeFileSync(join(depot.repository, 'left-behind.key'), 'secret');
  const paths = [
    '/../secret',
    '/%2e%2e/secret',
    '/packages/..%2f..%2fsecret',
    '/packages/../../secret',
    '/..%5csecret',
    '//etc/passwd',
    '/%2fetc/passwd',
    '/link',
    '/folder/file',
    '/folder',
    '/pool',
    '/left-behind.key',
    '/.icepkg/pool.json',
    '/%2eicepkg/pool.json',
    '/packages/./x86_64',
    '/packages//x86_64',
    '/packages/x86_64/',
    '/a%00b',
    '/%ff',
    '/%',
    `/${'a/'.repeat(3000)}`,
    `/${'a'.repeat(300)}`,
  ];
  for (const path of paths) {
    const { status, body } = await ask(path);
    expect([path.slice(0, 60), status === 404 || status === 400, body.length]).toEqual([
      path.slice(0, 60),
      true,
      0,
    ]);
  }
});

test('a link inside the repository is followed', async () => {
  symlinkSync(PACKAGE, join(depot.repository, 'latest'));
  expect((await ask('/latest')).body.equals(content)).toBe(true);
});

test('health tells what is published', async () => {
  const health = await ask('/health');
  expect([health.status, JSON.parse(health.body.toString())]).toMatchObject([
    200,
    { status: 'ok', channels: [{ channel: 'stable', packages: 2, version: 1, expired: false }] },
  ]);
});

test('an oversized or broken request is refused, and serving goes on', async () => {
  const { hostname, port } = new URL(server.url);
  const raw = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let reply = '';
      const socket = connect(Number(port), hostname, () => void socket.end(text));
      socket.on('data', (part) => (reply += part.toString('latin1')));
      socket.on('error', () => resolve(reply));
      socket.on('close', () => resolve(reply));
    });
  expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(64 * 1024)}\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 431/,
  );
  expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
  expect((await ask('/health')).status).toBe(200);
});

test('a port that is taken and a folder that is no repository are named', async () => {
  const port = Number(new URL(server.url).port);
  await expect(serve(depot.repository, { port })).rejects.toMatchObject({ code: 'io-failed' });
  await expect(serve(depot.folder)).rejects.toMatchObject({ code: 'not-found' });
});

test.skipIf(process.getuid?.() === 0)('a file that may not be read is refused', async () => {
  writeFileSync(join(depot.repository, 'closed.txt'), 'x');
  chmodSync(join(depot.repository, 'closed.txt'), 0);
  expect((await ask('/closed.txt')).status).toBe(403);
});

test('closing lets a running answer end', async () => {
  const own = await serve(depot.repository);
  const { hostname, port } = new URL(own.url);
  const body = await new Promise<Buffer>((resolve, reject) => {
    const sent = httpRequest({ hostname, port, path: `/${PACKAGE}` }, (reply) => {
      const closed = own.close();
      const parts: Buffer[] = [];
      reply.on('data', (part: Buffer) => parts.push(part));
      reply.on('end', () => void closed.then(() => resolve(Buffer.concat(parts)), reject));
    });
    sent.on('error', reject).end();
  });
  expect(body.equals(content)).toBe(true);
  await expect(fetch(own.url)).rejects.toThrow();
});

test('clients that take nothing keep nobody from being served', async () => {
  const large = join(depot.repository, 'packages/x86_64/large-1.0.0-r0.x86_64.icepkg');
  writeFileSync(large, Buffer.alloc(8 * 1024 * 1024));
  const { hostname, port } = new URL(server.url);
  const slow: Socket[] = [];
  const holdOpen = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect({ host: hostname, port: Number(port) }).on('error', () => undefined);
      slow.push(socket);
      socket.once('readable', resolve).once('close', resolve);
      socket.write('GET /packages/x86_64/large-1.0.0-r0.x86_64.icepkg HTTP/1.1\r\nHost: x\r\n\r\n');
    });
  try {
    for (let batch = 0; batch < 22; batch++) await Promise.all(Array.from({ length: 50 }, holdOpen));
    expect((await ask(`/${PACKAGE}`)).body.equals(content)).toBe(true);
    expect(slow.filter((socket) => socket.destroyed).map((socket) => String(socket.errored))).toEqual([]);
  } finally {
    for (const socket of slow) socket.destroy();
    rmSync(large);
  }
});

test('a client that is slow gets all of a large file; where that becomes shorter meanwhile, the connection ends', async () => {
  const large = join(depot.repository, 'packages/x86_64/slow-1.0.0-r0.x86_64.icepkg');
  const bytes = Buffer.alloc(8 * 1024 * 1024, 'content ');
  const receive = async (afterFirst: () => void): Promise<Buffer> => {
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.write(
      `GET /packages/x86_64/slow-1.0.0-r0.x86_64.icepkg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    const parts: Buffer[] = [];
    for await (const part of socket) {
      if (parts.push(part as Buffer) === 1) afterFirst();
      if (parts.length % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const all = Buffer.concat(parts);
    return all.subarray(all.indexOf('\r\n\r\n') + 4);
  };
  writeFileSync(large, bytes);
  expect((await receive(() => undefined)).equals(bytes)).toBe(true);
  expect((await receive(() => truncateSync(large, 1000))).length).toBeLessThan(bytes.length);
  rmSync(large);
});

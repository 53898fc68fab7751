/** Files of a server that are asked for again and again: the same answers from memory, and never of what is no more. */
import { once } from 'node:events';
import { closeSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HotFiles } from '#repo-server/hot-files';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let server: RepositoryServer;
const PATH = 'packages/x86_64/app-1.0.0-r0.x86_64.icepkg';
const CONTENT = 'a'.repeat(100_000);

beforeEach(async () => {
  depot = await makeDepot();
  await depot.publish({ name: 'app' });
  writeFileSync(join(depot.repository, PATH), CONTENT);
  server = await serve(depot.repository);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server.close();
  depot.dispose();
});

const get = (headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<Response> =>
  fetch(`${server.url}/${PATH}`, { headers, method });
const warm = async (): Promise<void> => {
  for (let time = 0; time < 3; time++) await (await get()).text();
};
/** As if so much time had gone by. */
const later = (milliseconds: number): void => {
  const now = Date.now();
  vi.spyOn(Date, 'now').mockImplementation(() => now + milliseconds);
};
const plain = ({ status, headers }: Response): unknown => [
  status,
  Object.fromEntries([...headers].filter(([name]) => name !== 'date')),
];

test('every kind of answer is the same from memory', async () => {
  const asked = [
    {},
    { range: 'bytes=5-9' },
    { range: 'bytes=-3' },
    { range: 'bytes=200000-' },
    { 'if-modified-since': new Date().toUTCString() },
  ];
  const cold: unknown[] = [];
  for (const headers of asked) {
    const fresh = await serve(depot.repository);
    cold.push(plain(await fetch(`${fresh.url}/${PATH}`, { headers })));
    await fresh.close();
  }
  await warm();
  for (const [index, headers] of asked.entries()) {
    const answer = await get(headers);
    expect(plain(answer)).toEqual(cold[index]);
  }
  expect(await (await get()).text()).toBe(CONTENT);
  expect(await (await get({ range: 'bytes=99998-' })).text()).toBe('aa');
  const head = await get({}, 'HEAD');
  expect([head.headers.get('content-length'), await head.text()]).toEqual(['100000', '']);
  const etag = (await get()).headers.get('etag') ?? '';
  expect((await get({ 'if-none-match': etag })).status).toBe(304);
  expect((await get({}, 'DELETE')).status).toBe(405);
});

test('what is taken away or replaced is gone within a second', async () => {
  await warm();
  const file = join(depot.repository, PATH);
  writeFileSync(`${file}.new`, 'b'.repeat(10));
  renameSync(`${file}.new`, file);
  later(1500);
  expect(await (await get()).text()).toBe('b'.repeat(10));
  rmSync(file);
  later(3000);
  expect((await get()).status).toBe(404);
});

test('all addresses of a file lead to one copy of it', async () => {
  const ask = (address: string): Promise<Response> => fetch(`${server.url}/${address}`);
  later(0);
  for (const address of [`${PATH}?1`, `${PATH}?2`]) expect(await (await ask(address)).text()).toBe(CONTENT);
  // From here on only what is in memory can be the answer.
  rmSync(join(depot.repository, PATH));
  for (const address of [PATH, `${PATH}?3`, PATH.replace('p', '%70')])
    expect(await (await ask(address)).text()).toBe(CONTENT);
  expect((await ask(`${PATH}?${'x'.repeat(600)}`)).status).toBe(404);
});

test('what is kept beside the contents counts, so that small files are bounded too', () => {
  const hot = new HotFiles();
  const file = join(depot.folder, 'small');
  writeFileSync(file, 'x');
  const fd = openSync(file, 'r');
  const served = { fd, size: 1, dev: 1n, ino: 1n, mtimeNs: 1n, type: 'text/plain', immutable: true };
  const urls = Array.from({ length: 20_000 }, (_, index) => `/packages/x86_64/${index}.icepkg`);
  later(0);
  for (const url of urls) for (let time = 0; time < 2; time++) hot.offer(url, served);
  closeSync(fd);
  const kept = urls.filter((url) => hot.find({ url, method: 'GET' } as IncomingMessage) !== undefined);
  expect(kept.at(-1)).toBe(urls.at(-1));
  expect(kept.length).toBeLessThan(16_384);
});

test('what may change is never answered from memory', async () => {
  const entry = 'channels/stable/metadata/timestamp.json';
  const read = async (): Promise<string> => (await fetch(`${server.url}/${entry}`)).text();
  for (let time = 0; time < 3; time++) await read();
  writeFileSync(join(depot.repository, entry), 'other');
  expect(await read()).toBe('other');
});

test('however many clients are slow with a file, it is open once', async () => {
  const large = join(depot.repository, 'packages/x86_64/large-1.0.0-r0.x86_64.icepkg');
  writeFileSync(large, Buffer.alloc(16 * 1024 * 1024));
  const { hostname, port } = new URL(server.url);
  const sockets: Socket[] = [];
  for (let index = 0; index < 20; index++) {
    const socket = connect({ host: hostname, port: Number(port) });
    sockets.push(socket);
    socket.write(`GET /packages/x86_64/large-1.0.0-r0.x86_64.icepkg HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
  }
  const open = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === large;
      } catch {
        return false;
      }
    }).length;
  expect(open()).toBe(1);
  expect(statSync(large).size).toBe(16 * 1024 * 1024);
  for (const socket of sockets) socket.destroy();
  await expect.poll(open).toBe(0);
});

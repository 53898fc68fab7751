/** Caches before another repository: each file fetched once and verified, and what happens when upstream is gone or lies. */
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import type { CacheOptions } from '#repo-server/cache/pull-through';
import { rotateRoot, sameKeys } from '#repo-server/init';
import { publish } from '#repo-server/publish';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { generateKey } from '#schema/keys';
import { makeDepot, type Depot } from '../support/repository.ts';

const APP = 'packages/x86_64/app-1.0.0-r0.x86_64.icepkg';
const LIB = 'packages/x86_64/lib-1.0.0-r0.x86_64.icepkg';
const ENTRY = 'channels/stable/metadata/timestamp.json';
const DAY = 86_400_000;

let depot: Depot;
let folder: string;
let upstream: Server;
let from: string;
/** Paths that upstream was asked for. */
let asked: string[];
/** Answers in the place of upstream where it returns true. */
let misbehave: (path: string, response: ServerResponse) => boolean;
let cache: RepositoryServer | undefined;
let problems: string[];
/** What the cache's clock is ahead by. */
let ahead: number;

beforeEach(async () => {
  depot = await makeDepot();
  folder = join(depot.folder, 'cache');
  asked = [];
  problems = [];
  ahead = 0;
  misbehave = () => false;
  await depot.publish(
    { name: 'app', files: { 'usr/bin/app': 'a'.repeat(5000) } },
    { name: 'lib', files: { 'usr/lib/lib': 'b'.repeat(5000) } },
    { name: 'arm', arch: 'aarch64' },
  );
  upstream = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').slice(1));
    asked.push(path);
    if (misbehave(path, response)) return;
    const file = join(depot.repository, path);
    if (existsSync(file)) response.end(readFileSync(file));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  from = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await cache?.close();
  cache = undefined;
  await stopUpstream();
  depot.dispose();
});

function stopUpstream(): Promise<unknown> {
  upstream.closeAllConnections();
  return new Promise((resolve) => upstream.close(resolve));
}

/** The address of a cache that asks upstream each time, unless said otherwise. */
async function start(options: Partial<CacheOptions> = {}): Promise<string> {
  await cache?.close();
  cache = await serve(folder, {
    metricsPort: 0,
    onError: (error) => problems.push(error instanceof Error ? error.message : String(error)),
    cache: {
      from,
      trustedRoot: readFileSync(depot.trustedRoot),
      channels: ['stable'],
      size: 10_000_000,
      maxAgeMs: 0,
      now: () => Date.now() + ahead,
      ...options,
    },
  });
  return cache.url;
}
const status = async (path: string): Promise<number> => (await fetch(`${cache?.url}/${path}`)).status;
const bytesAt = async (path: string): Promise<Buffer> =>
  Buffer.from(await (await fetch(`${cache?.url}/${path}`)).arrayBuffer());
const original = (path: string): Buffer => readFileSync(join(depot.repository, path));
const offered = async (): Promise<string[]> =>
  (await loadIndexes(depot.root({ mirror: cache?.url ?? '' }), { refresh: 'force' }))
    .map(({ record }) => record.name)
    .sort();
const metrics = async (): Promise<string> => (await fetch(`${cache?.metricsUrl}/metrics`)).text();
const kept = (): string[] =>
  existsSync(join(folder, 'packages'))
    ? readdirSync(join(folder, 'packages'), { recursive: true, encoding: 'utf8' }).filter((name) =>
        name.endsWith('.icepkg'),
      )
    : [];

test('what many ask for at once is fetched once, is the same, and is there for the next', async () => {
  await start();
  expect(await offered()).toEqual(['app', 'lib']);
  const answers = await Promise.all(Array.from({ length: 20 }, () => bytesAt(APP)));
  expect(answers.every((bytes) => bytes.equals(original(APP)))).toBe(true);
  await bytesAt(APP);
  expect(asked.filter((path) => path === APP)).toHaveLength(1);
  expect(asked.filter((path) => path.startsWith('targets/'))).toHaveLength(1);
  expect(kept()).toEqual(['x86_64/app-1.0.0-r0.x86_64.icepkg']);
  const range = await fetch(`${cache?.url}/${LIB}`, { headers: { range: 'bytes=10-19' } });
  expect([
    range.status,
    Buffer.from(await range.arrayBuffer()).equals(original(LIB).subarray(10, 20)),
  ]).toEqual([206, true]);
  await depot.publish({ name: 'new' });
  expect(await offered()).toEqual(['app', 'lib', 'new']);
  expect(await metrics()).toMatch(/icepkg_cache_requests_total\{outcome="hit"\} \d+\n/);
});

test('what no index names is not there, and upstream is not asked for it', async () => {
  await start({ maxAgeMs: DAY });
  writeFileSync(join(depot.repository, 'packages/x86_64/secret.icepkg'), 'unsigned');
  const before = asked.length;
  for (const path of [
    'packages/x86_64/secret.icepkg',
    `targets/index/x86_64/${'0'.repeat(64)}.00.json.zst`,
    'channels/beta/metadata/timestamp.json',
    '.icepkg/trusted-root.json',
    'other/file',
    `packages/${'long/'.repeat(815)}name`,
  ])
    expect([path, await status(path)]).toEqual([path, 404]);
  expect(asked.slice(before).filter((path) => !path.startsWith('targets/'))).toEqual([]);
});

test('while upstream is gone the last verified state is served, until it expires', async () => {
  await start();
  await bytesAt(APP);
  await stopUpstream();
  expect(await offered()).toEqual(['app', 'lib']);
  expect((await bytesAt(APP)).equals(original(APP))).toBe(true);
  expect(await status(LIB)).toBe(503);
  expect(problems.join('\n')).toMatch(/connection refused/);
  expect(await metrics()).toMatch(
    /icepkg_cache_refreshes_total\{channel="stable",outcome="unreachable"\} [1-9]/,
  );
  // After a restart too, without being told of the trusted root again.
  await start({ maxAgeMs: 0, from });
  expect(await offered()).toEqual(['app', 'lib']);
  ahead = 31 * DAY;
  expect(await status(ENTRY)).toBe(503);
  expect((await bytesAt(APP)).equals(original(APP))).toBe(true);
});

test('an upstream that lies about packages is refused, and nothing of it is kept', async () => {
  await start();
  const lies: [string, (response: ServerResponse) => void][] = [
    ['another content', (response) => response.end('evil')],
    ['the same length', (response) => response.end(Buffer.alloc(original(APP).length))],
    [
      'cut short',
      (response) =>
        void response.writeHead(200, { 'content-length': original(APP).length }).write('x', () => {
          response.destroy();
        }),
    ],
    ['longer', (response) => response.end(Buffer.concat([original(APP), Buffer.from('more')]))],
    ['a web page', (response) => response.setHeader('content-type', 'text/html').end('<html>')],
    ['nothing', (response) => response.writeHead(404).end()],
  ];
  for (const [lie, tell] of lies) {
    misbehave = (path, response) => {
      if (path === APP) tell(response);
      return path === APP;
    };
    expect([lie, [502, 503].includes(await status(APP)), kept()]).toEqual([lie, true, []]);
  }
  expect(problems).toHaveLength(lies.length);
  expect(problems.every((problem) => problem.includes(APP))).toBe(true);
  expect(await metrics()).toContain(`icepkg_cache_requests_total{outcome="failed"} ${lies.length}\n`);
  misbehave = () => false;
  expect((await bytesAt(APP)).equals(original(APP))).toBe(true);
});

test('what an upstream never finishes does not fill the disk', async () => {
  const names = ['one', 'two', 'three', 'four'];
  const path = (name: string): string => `packages/x86_64/${name}-1.0.0-r0.x86_64.icepkg`;
  await depot.publish(...names.map((name) => ({ name, files: { x: randomBytes(20_000).toString('hex') } })));
  const size = 50_000;
  await start({ size });
  misbehave = (asking, response) => {
    const bytes = asking.startsWith('packages/') ? original(asking) : undefined;
    if (bytes === undefined) return false;
    response.writeHead(200, { 'content-length': bytes.length, etag: '"1"' });
    response.write(bytes.subarray(0, -1), () => response.destroy());
    return true;
  };
  for (const name of names) expect(await status(path(name))).toBe(503);
  const parts = readdirSync(join(folder, '.icepkg/incoming'));
  const bytes = parts.map((name) => statSync(join(folder, '.icepkg/incoming', name)).size);
  expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(size);
  expect(parts.join()).toContain('.part');
  misbehave = () => false;
  for (const name of names) expect((await bytesAt(path(name))).equals(original(path(name)))).toBe(true);
  expect(readdirSync(join(folder, '.icepkg/incoming'))).toEqual([]);
});

test('an upstream that lies about its state, goes back or hangs changes nothing that is served', async () => {
  const old = join(depot.folder, 'old');
  cpSync(depot.repository, old, { recursive: true });
  await depot.publish({ name: 'new' });
  await start();
  expect(await offered()).toEqual(['app', 'lib', 'new']);
  const state = original(ENTRY);
  const entries: [string, (response: ServerResponse) => void, RegExp][] = [
    [
      'forged',
      (response) => response.end(state.toString().replace('"version":', '"version":1')),
      /signed by 0/,
    ],
    ['older', (response) => response.end(readFileSync(join(old, ENTRY))), /but version \d+ was seen before/],
    ['no document', (response) => response.end('nonsense'), /timestamp\.json/],
    ['endless', (response) => response.end(Buffer.alloc(100_000)), /longer than the \d+ bytes expected/],
    ['missing', (response) => response.writeHead(404).end(), /not found/],
    ['silence', () => undefined, /^$/],
  ];
  for (const [lie, tell, problem] of entries) {
    problems = [];
    ahead += 60_000;
    misbehave = (path, response) => {
      if (path === ENTRY) tell(response);
      return path === ENTRY;
    };
    expect([lie, (await bytesAt(ENTRY)).equals(state)]).toEqual([lie, true]);
    expect(problems.join('\n')).toMatch(problem);
  }
  expect(await offered()).toEqual(['app', 'lib', 'new']);
  expect(await metrics()).toMatch(/icepkg_cache_refreshes_total\{channel="stable",outcome="refused"\} [2-9]/);
});

test('keys that are rotated properly are followed; a root of somebody else is not', async () => {
  await start();
  const next = generateKey();
  await rotateRoot(depot.repository, { roles: sameKeys([next.public]), keys: [depot.key, next] });
  await publish(depot.repository, { keys: [next] });
  expect(await status('channels/stable/metadata/2.root.json')).toBe(200);
  expect(await offered()).toEqual(['app', 'lib']);
  const stranger = await makeDepot();
  await stranger.publish({ name: 'evil' });
  const metadata = 'channels/stable/metadata';
  for (const [name, as] of [
    ['timestamp.json', 'timestamp.json'],
    ['1.root.json', '3.root.json'],
  ] as const)
    cpSync(join(stranger.repository, metadata, name), join(depot.repository, metadata, as));
  stranger.dispose();
  ahead += 60_000;
  expect(await offered()).toEqual(['app', 'lib']);
  expect(problems.join('\n')).toMatch(/3\.root\.json: signed by 0 of the 1 trusted keys/);
  expect(await status('channels/stable/metadata/3.root.json')).toBe(404);
});

test('what was not used for longest makes room, also after a restart', async () => {
  const names = ['one', 'two', 'three'];
  await depot.publish(
    ...names.map((name) => ({ name, files: { 'usr/x': name.repeat(30_000), [name]: name } })),
  );
  const path = (name: string): string => `packages/x86_64/${name}-1.0.0-r0.x86_64.icepkg`;
  const shards = readdirSync(join(depot.repository, 'targets/index/x86_64'), { encoding: 'utf8' })
    .map((name) => original(`targets/index/x86_64/${name}`).length)
    .reduce((a, b) => a + b, 0);
  const size = shards + Math.floor(original(path('one')).length * 2.5);
  await start({ size });
  await bytesAt(path('one'));
  ahead += 120_000;
  await bytesAt(path('two'));
  ahead += 120_000;
  await bytesAt(path('one'));
  await start({ size });
  await bytesAt(path('three'));
  expect(kept().sort()).toEqual(
    [path('one'), path('three')].map((name) => name.slice('packages/'.length)).sort(),
  );
  expect((await bytesAt(path('two'))).equals(original(path('two')))).toBe(true);
  expect(await metrics()).toMatch(/icepkg_cache_evicted_files_total [1-9]/);
});

test('the first run needs a root, and one that signed what upstream has', async () => {
  const cacheOf = (more: Partial<CacheOptions>) =>
    serve(folder, { cache: { from, channels: ['stable'], size: 1_000_000, ...more } });
  await expect(cacheOf({})).rejects.toMatchObject({ code: 'usage' });
  await expect(
    serve([folder, depot.repository], { cache: { from, channels: ['stable'], size: 1 } }),
  ).rejects.toMatchObject({ code: 'usage' });
  const stranger = await makeDepot();
  await start({ trustedRoot: readFileSync(stranger.trustedRoot) });
  stranger.dispose();
  expect([await status(ENTRY), problems[0]]).toEqual([
    503,
    expect.stringMatching(/timestamp\.json: signed by 0 of the 1 trusted keys/),
  ]);
});

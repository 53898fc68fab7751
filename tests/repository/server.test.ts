/** What the server does beside files: uploads for whom a token allows them, limits, reports, several repositories. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { initRepository, rotateRoot, sameKeys } from '#repo-server/init';
import { publish } from '#repo-server/publish';
import { renewTimestamps } from '#repo-server/renew';
import { RateLimit } from '#repo-server/http-limits';
import { serve, type RepositoryServer, type ServeOptions } from '#repo-server/serve';
import { createToken, listTokens, revokeToken } from '#repo-server/tokens';
import { encodePrivateKey, encodePublicKey, generateKey, keyId } from '#schema/keys';
import { program } from '../cli/icepkg.ts';
import { makeDepot, type DeclaredPackage, type Depot } from '../support/repository.ts';

let depot: Depot;
let server: RepositoryServer | undefined;
beforeEach(async () => {
  depot = await makeDepot();
  mkdirSync(join(depot.repository, '.icepkg/upload-keys'));
  writeFileSync(join(depot.repository, '.icepkg/upload-keys/builder.pub'), encodePublicKey(depot.key.public));
  await depot.publish({ name: 'zlib', version: '2.0.0-r0' });
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  depot.dispose();
});

const start = async (options: ServeOptions = {}): Promise<string> => {
  server = await serve(depot.repository, options);
  return server.url;
};
const token = async (...scopes: string[]): Promise<string> =>
  (await createToken(depot.repository, { name: 'test', scopes })).token;
const post = (url: string, bearer: string, body: Buffer | string = ''): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { authorization: `Bearer ${bearer}` }, body });
const packed = async (declared: DeclaredPackage): Promise<Buffer> =>
  readFileSync((await depot.pack(declared))[0] ?? '');
const left = (): string[] => readdirSync(join(depot.repository, '.icepkg/incoming'));

test('a package is uploaded, published and installed by nobody before', async () => {
  const url = await start({ keys: [depot.key] });
  const root = depot.root({ mirror: url });
  const bearer = await token('upload:stable', 'publish:stable');
  const answer = await post(`${url}/api/v1/packages`, bearer, await packed({ name: 'bash' }));
  expect([answer.status, await answer.json()]).toMatchObject([
    201,
    { outcome: 'added', record: { name: 'bash' } },
  ]);
  expect(left()).toEqual([]);
  const names = async () => (await loadIndexes(root, { refresh: 'force' })).map(({ record }) => record.name);
  expect(await names()).toEqual(['zlib']);
  const published = await post(`${url}/api/v1/publish?message=by+upload`, bearer);
  expect([published.status, await published.json()]).toMatchObject([200, { changed: true, snapshot: 2 }]);
  expect((await names()).sort()).toEqual(['bash', 'zlib']);
});

test('what may not come in is refused, named and counted, and nothing changes', async () => {
  const told: string[] = [];
  const url = await start({ metricsPort: 0, maxUpload: 200_000, onRefused: (what) => told.push(what) });
  const bearer = await token('upload:stable');
  const pool = readFileSync(join(depot.repository, '.icepkg/pool.json'));
  const good = await packed({ name: 'bash', files: { 'etc/x': 'x'.repeat(100) } });
  const stranger = await makeDepot();
  const foreign = readFileSync((await stranger.pack({ name: 'bash' }))[0] ?? '');
  stranger.dispose();
  const refused: [string, Buffer | string, number, RegExp][] = [
    ['cut short', good.subarray(0, good.length - 1), 422, /bash-1\.0\.0-r0\.x86_64\.icepkg: is cut short/],
    ['no package', 'nonsense', 422, /the package/],
    ['nothing', '', 422, /the package/],
    ['of a stranger', foreign, 422, /none of the trusted keys signed it/],
    ['older', await packed({ name: 'zlib', version: '1.9.0-r0' }), 409, /is older than 2\.0\.0-r0/],
    [
      'other content',
      await packed({ name: 'zlib', version: '2.0.0-r0', description: 'x' }),
      409,
      /has another package/,
    ],
    ['too large', Buffer.alloc(200_001), 413, /larger than 200000 bytes/],
  ];
  for (const [what, body, status, message] of refused) {
    const answer = await post(`${url}/api/v1/packages`, bearer, body);
    const text = await answer.text();
    expect([what, answer.status]).toEqual([what, status]);
    expect(text).toMatch(message);
    expect(text).not.toContain(depot.folder);
  }
  const endless = await fetch(`${url}/api/v1/packages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}` },
    body: new Blob([Buffer.alloc(200_001)]).stream(),
    duplex: 'half',
  });
  expect([endless.status, await endless.json()]).toMatchObject([413, { error: { code: 'too-large' } }]);
  expect(told).toHaveLength(8);
  expect(told[3]).toMatch(
    /^upload to main from 127\.0\.0\.1, test: bash-1\.0\.0-r0\.x86_64\.icepkg: none of the trusted keys/,
  );
  expect(readFileSync(join(depot.repository, '.icepkg/pool.json')).equals(pool)).toBe(true);
  expect(left()).toEqual([]);
  const metrics = await (await fetch(`${server?.metricsUrl}/metrics`)).text();
  expect(metrics).toContain('icepkg_uploads_total{repository="main",outcome="refused"} 8');
});

test('what waits to be published is not gone behind either; the same package again is', async () => {
  const url = await start();
  const bearer = await token('upload:beta');
  const [older, newer] = [
    await packed({ name: 'bash', version: '1.0.0-r0' }),
    await packed({ name: 'bash', version: '1.1.0-r0' }),
  ];
  const at = `${url}/api/v1/packages?channel=beta`;
  for (const body of [newer, newer]) expect((await post(at, bearer, body)).status).toBe(201);
  const refused = await post(at, bearer, older);
  expect([refused.status, await refused.json()]).toMatchObject([
    409,
    { error: { message: 'bash-1.0.0-r0.x86_64.icepkg is older than 1.1.0-r0, which beta has' } },
  ]);
});

test('an upload whose connection is lost is refused by name and leaves nothing', async () => {
  const told: string[] = [];
  const url = new URL(await start({ onRefused: (what) => told.push(what) }));
  const bearer = await token('upload:stable');
  for (const type of ['application/octet-stream', 'application/x-tar']) {
    const socket = connect(Number(url.port), url.hostname);
    socket.on('error', () => undefined);
    const head = `Authorization: Bearer ${bearer}\r\nContent-Type: ${type}\r\nContent-Length: 5000`;
    socket.write(`POST /api/v1/packages HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`);
    socket.write('the beginning', () => setTimeout(() => socket.destroy(), 200));
  }
  await vi.waitFor(() => expect(told).toHaveLength(2), { timeout: 20_000 });
  for (const what of told) expect(what).toMatch(/, test: the upload was cut off before its end$/);
  await vi.waitFor(() => expect(left()).toEqual([]));
});

test('who may: no token, a wrong one, without the scope, revoked, run out', async () => {
  const url = await start();
  const body = await packed({ name: 'bash' });
  const at = `${url}/api/v1/packages?channel=beta`;
  const { token: stale } = await createToken(
    depot.repository,
    { name: 'old', scopes: ['upload:beta'], days: 1 },
    new Date(Date.now() - 2 * 86_400_000),
  );
  const lost = await token('upload:beta');
  await revokeToken(depot.repository, listTokens(depot.repository).at(-1)?.id ?? '');
  for (const bad of ['', 'icepkg_00000000_x', stale, lost])
    expect((await post(at, bad, body)).status).toBe(401);
  expect((await post(at, await token('upload:stable'), body)).status).toBe(403);
  expect((await post(`${url}/api/v1/publish?channel=beta`, await token('upload:*'))).status).toBe(403);
  expect((await post(at, await token('upload:*'), body)).status).toBe(201);
  expect((await post(`${url}/api/v1/packages?channel=..%2fx`, await token('upload:*'), body)).status).toBe(
    400,
  );
  expect(await (await post(at, '', body)).json()).toEqual({
    error: { code: 'unauthorized', message: expect.any(String), hint: expect.any(String) },
  });
  for (let guess = 0; guess < 10; guess++) await post(at, 'guess', body);
  expect((await post(at, 'guess', body)).status).toBe(429);
  const kept = readFileSync(join(depot.repository, '.icepkg/tokens.json'), 'utf8');
  expect(kept).not.toContain(lost);
  expect((await fetch(`${url}/.icepkg/tokens.json`)).status).toBe(404);
  await expect(createToken(depot.repository, { name: 'x', scopes: ['root'] })).rejects.toMatchObject({
    code: 'usage',
  });
});

test('a token is revoked by its name where no other that counts has it, else by its id', async () => {
  const make = async (name: string, created?: Date): Promise<string> =>
    (await createToken(depot.repository, { name, scopes: ['upload:*'], days: 1 }, created)).id;
  await make('builder', new Date(Date.now() - 2 * 86_400_000));
  const [first, second] = [await make('builder'), await make('builder')];
  await expect(revokeToken(depot.repository, 'builder')).rejects.toMatchObject({
    code: 'usage',
    hint: expect.stringContaining(`${first}, ${second}`),
  });
  expect(await revokeToken(depot.repository, first)).toBe(first);
  expect(await revokeToken(depot.repository, 'builder')).toBe(second);
  await expect(revokeToken(depot.repository, 'builder')).rejects.toMatchObject({ code: 'not-found' });
  expect(listTokens(depot.repository).filter(({ revoked }) => revoked === undefined)).toHaveLength(1);
});

test('several repositories, each below its name', async () => {
  const extra = join(depot.folder, 'extra');
  await initRepository(extra, { name: 'extra', roles: sameKeys([depot.key.public]), keys: [depot.key] });
  await publish(extra, { keys: [depot.key] });
  server = await serve([depot.repository, extra], { metricsPort: 0 });
  const { url, metricsUrl } = server;
  expect((await loadIndexes(depot.root({ mirror: `${url}/main` }), { refresh: 'force' })).length).toBe(1);
  expect((await fetch(`${url}/extra/channels/stable/metadata/1.root.json`)).status).toBe(200);
  for (const path of ['/channels/stable/metadata/1.root.json', '/other/', '/extra/../main/health'])
    expect([path, (await fetch(url + path)).status]).toEqual([path, path.endsWith('health') ? 200 : 404]);
  expect(await (await fetch(`${url}/health`)).json()).toMatchObject({
    status: 'ok',
    repositories: [{ name: 'main' }, { name: 'extra' }],
  });
  expect((await fetch(`${url}/ready`)).status).toBe(200);
  const metrics = await (await fetch(`${metricsUrl}/metrics`)).text();
  expect(metrics).toMatch(
    /icepkg_metadata_expires_seconds\{repository="extra",channel="stable",role="timestamp"\} \d{10}\n/,
  );
  expect(metrics).toMatch(/icepkg_http_requests_total\{repository="extra",method="GET",status="200"\} 1\n/);
  expect((await fetch(`${url}/metrics`)).status).toBe(404);
  await expect(serve([extra, extra])).rejects.toMatchObject({ code: 'usage' });
});

test('health tells where clients refuse what is signed, until the next publish', async () => {
  const url = await start();
  const health = async (): Promise<[number, unknown]> => {
    const reply = await fetch(`${url}/health`);
    return [reply.status, await reply.json()];
  };
  const next = generateKey();
  expect(await health()).toMatchObject([200, { status: 'ok', channels: [{ signed: true }] }]);
  await rotateRoot(depot.repository, { roles: sameKeys([next.public]), keys: [depot.key, next] });
  expect(await health()).toMatchObject([503, { status: 'unsigned', channels: [{ signed: false }] }]);
  await publish(depot.repository, { keys: [next] });
  expect(await health()).toMatchObject([200, { status: 'ok' }]);
});

test('the timestamp is signed anew in time, with its key alone', async () => {
  const online = generateKey();
  const repository = join(depot.folder, 'online');
  await initRepository(repository, {
    name: 'online',
    roles: { ...sameKeys([depot.key.public]), timestamp: { keys: [online.public], threshold: 1 } },
    keys: [depot.key],
  });
  await publish(repository, { keys: [depot.key, online] });
  const later = new Date(Date.now() + 16 * 86_400_000);
  expect(await renewTimestamps(repository, { keys: [online] })).toEqual([]);
  expect(await renewTimestamps(repository, { keys: [online], now: later })).toEqual(['stable']);
  await expect(
    renewTimestamps(repository, { keys: [depot.key], now: new Date(Date.now() + 40 * 86_400_000) }),
  ).rejects.toMatchObject({ code: 'usage' });
  const context = depot.root({ mirror: repository });
  writeFileSync(
    join(context.root, 'etc/icepkg/trust/main.root.json'),
    readFileSync(join(repository, 'channels/stable/metadata/1.root.json')),
  );
  expect(
    await loadIndexes(
      { ...context, now: () => new Date(Date.now() + 44 * 86_400_000) },
      { refresh: 'force' },
    ),
  ).toEqual([]);
  expect(keyId(online.public)).toHaveLength(64);
});

test('a server renews by itself at start, and says where it cannot', async () => {
  const problems: unknown[] = [];
  await publish(depot.repository, { keys: [depot.key], now: new Date(Date.now() - 20 * 86_400_000) });
  const before = readFileSync(join(depot.repository, 'channels/stable/metadata/timestamp.json'), 'utf8');
  await start({ keys: [generateKey()], onError: (error) => problems.push(error) });
  expect(problems).toMatchObject([{ code: 'usage' }]);
  await server?.close();
  await start({ keys: [depot.key] });
  expect(readFileSync(join(depot.repository, 'channels/stable/metadata/timestamp.json'), 'utf8')).not.toBe(
    before,
  );
});

test('one address may ask so often; the bucket fills again', async () => {
  const limit = new RateLimit(1, 2);
  expect([limit.take('a', 0), limit.take('a', 0), limit.take('a', 0), limit.take('b', 0)]).toEqual([
    0, 0, 1, 0,
  ]);
  expect([limit.take('a', 1000), limit.take('a', 1000)]).toEqual([0, 1]);
  const url = await start({ rateLimit: 1 });
  const answers = await Promise.all(Array.from({ length: 12 }, () => fetch(`${url}/ready`)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]?.headers.get('retry-after')).toBe('1');
});

test('the access log goes on in a new file after a reload, and is JSON whatever was asked', async () => {
  const log = join(depot.folder, 'access.log');
  const url = await start({ accessLog: log });
  await (await fetch(`${url}/a"b%0Ac?q`)).text();
  const lines = (file: string) => readFileSync(file, 'utf8').trim().split('\n');
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await until(() => readFileSync(log, 'utf8') !== '');
  expect(lines(log).map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { method: 'GET', path: '/a%22b%0Ac?q', status: 400 },
  ]);
  renameSync(log, `${log}.1`);
  await server?.reload();
  expect((await fetch(`${url}/ready`)).status).toBe(200);
  await until(() => existsSync(log) && readFileSync(log, 'utf8') !== '');
  expect(lines(`${log}.1`)).toHaveLength(1);
});

test('the command reloads on SIGHUP and ends on SIGTERM', async () => {
  writeFileSync(join(depot.folder, 'p.key'), encodePrivateKey(depot.key));
  const words = [
    'repo',
    'serve',
    depot.repository,
    '--port',
    '0',
    '--key',
    join(depot.folder, 'p.key'),
    '--metrics-port',
    '0',
    '--json',
  ];
  const child = spawn(process.execPath, program(...words), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const first = await new Promise<string>((resolve) =>
    child.stdout.once('data', (part: Buffer) => resolve(part.toString())),
  );
  const { url, metricsUrl } = JSON.parse(first.split('\n')[0] ?? '') as { url: string; metricsUrl: string };
  child.kill('SIGHUP');
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect((await fetch(`${metricsUrl}/metrics`)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});

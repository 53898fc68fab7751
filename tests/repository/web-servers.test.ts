/**
 * The configurations that docs/mirror-operators.md gives for other web servers, with the real programs: the same tree must
 * come from each as it comes from `icepkg repo serve`. caddy is tried where it is installed; tests/setup.sh installs nginx.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { mirrorRepository } from '#repo-server/mirror';
import type { MirrorSettings } from '#repo-server/mirror-settings';
import { serve } from '#repo-server/serve';
import { makeDepot, type Depot } from '../support/repository.ts';

const MANUAL = readFileSync(join(import.meta.dirname, '../../docs/mirror-operators.md'), 'utf8');
/** Debian has servers where ordinary users do not look. */
const ENV = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };
const has = (program: string): boolean => spawnSync(program, ['version'], { env: ENV }).error === undefined;

interface Running {
  readonly url: string;
  readonly close: () => Promise<unknown>;
}

let depot: Depot;
let work: string;
beforeAll(async () => {
  depot = await makeDepot();
  work = mkdtempSync(join(tmpdir(), 'icepkg-web-servers-'));
  await depot.publish(
    { name: 'zlib', files: { 'usr/lib/libz.so.1': 'content '.repeat(5000) } },
    { name: 'c++', version: '1.2.3-r1' },
  );
  writeFileSync(join(depot.repository, 'left.key'), 'a key that somebody left here');
});
afterAll(() => {
  depot.dispose();
  rmSync(work, { recursive: true, force: true });
});

const block = (language: string): string =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(MANUAL)?.[1] ?? '';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function running(child: ChildProcess, port: number): Promise<Running> {
  const url = `http://127.0.0.1:${port}`;
  let told = '';
  child.stderr?.on('data', (text: Buffer) => (told += text.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const answers = (): Promise<boolean> =>
    fetch(url).then(
      () => true,
      () => false,
    );
  while (!(await answers())) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${told}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    close: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

async function nginx(): Promise<Running> {
  const port = await freePort();
  const folder = join(work, 'nginx');
  mkdirSync(folder);
  const server = block('nginx')
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
    .replace('root /srv/packages;', `root ${depot.repository};`);
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    [
      // The test's folders are closed to the user whom nginx would become.
      process.getuid?.() === 0 ? 'user root;' : '',
      `pid ${folder}/pid; error_log stderr; daemon off; events {}`,
      `http { access_log off; ${places.join(' ')}\n${server}\n}`,
    ].join('\n'),
  );
  const words = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
  return running(spawn('nginx', words, { env: ENV, stdio: ['ignore', 'ignore', 'pipe'] }), port);
}

async function caddy(): Promise<Running> {
  const port = await freePort();
  const site = block('caddyfile')
    .replace('packages.example.org', `http://127.0.0.1:${port}`)
    .replace('/srv/packages', depot.repository);
  const file = join(work, 'Caddyfile');
  writeFileSync(file, `{\n    admin off\n}\n${site}`);
  const env = { ...ENV, HOME: work, XDG_DATA_HOME: work, XDG_CONFIG_HOME: work };
  const words = ['run', '--config', file, '--adapter', 'caddyfile'];
  return running(spawn('caddy', words, { env, stdio: ['ignore', 'ignore', 'pipe'] }), port);
}

const own = (): Promise<Running> => serve(depot.repository);

describe.each([
  ['icepkg repo serve', own, true],
  ['nginx', nginx, has('nginx')],
  ['caddy', caddy, has('caddy')],
] as const)('%s', (_name, start, isThere) => {
  let server: Running;
  beforeAll(async () => {
    if (isThere) server = await start();
  });
  afterAll(async () => {
    if (isThere) await server.close();
  });
  const ask = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.url}/${path.split('/').map(encodeURIComponent).join('/')}`, { headers });

  test.runIf(isThere)('every public file comes as it is, nothing private does', async () => {
    for (const path of readdirSync(depot.repository, { recursive: true, encoding: 'utf8' })) {
      if (statSync(join(depot.repository, path)).isDirectory()) continue;
      const hidden = path.startsWith('.icepkg') || path.endsWith('.key');
      const answer = await ask(path);
      const bytes = Buffer.from(await answer.arrayBuffer());
      expect([path, answer.status]).toEqual([path, hidden ? 404 : 200]);
      if (hidden) continue;
      expect([path, bytes.equals(readFileSync(join(depot.repository, path)))]).toEqual([path, true]);
      expect(answer.headers.get('content-encoding')).toBeNull();
      expect(answer.headers.get('content-type') ?? '').not.toMatch(/^text\/html/);
    }
    expect((await ask('channels/stable/metadata/9.root.json')).status).toBe(404);
  });

  test.runIf(isThere)('caches are told what never changes', async () => {
    const shard = readdirSync(join(depot.repository, 'targets/index/x86_64'))[0] ?? '';
    const forEver = [
      'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg',
      `targets/index/x86_64/${shard}`,
      'channels/stable/metadata/1.root.json',
    ];
    for (const path of forEver)
      expect([path, (await ask(path)).headers.get('cache-control')]).toEqual([
        path,
        'public, max-age=31536000, immutable',
      ]);
    for (const path of ['channels/stable/metadata/timestamp.json', 'channels/stable/metadata/root.json'])
      expect([path, (await ask(path)).headers.get('cache-control')]).toEqual([path, 'no-cache']);
  });

  test.runIf(isThere)('ranges and conditions', async () => {
    const path = 'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg';
    const content = readFileSync(join(depot.repository, path));
    const etag = (await ask(path)).headers.get('etag') ?? '';
    expect(etag).toMatch(/^"/);
    const part = await ask(path, { range: 'bytes=100-', 'if-range': etag });
    expect([part.status, part.headers.get('content-range')]).toEqual([
      206,
      `bytes 100-${content.length - 1}/${content.length}`,
    ]);
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(100))).toBe(true);
    expect((await ask(path, { range: 'bytes=100-', 'if-range': '"other"' })).status).toBe(200);
    expect((await ask(path, { 'if-none-match': etag })).status).toBe(304);
  });

  test.runIf(isThere)('a client refreshes from it, and a mirror copies and verifies all of it', async () => {
    const context = depot.root({ mirror: server.url });
    const candidates = await loadIndexes(context, { refresh: 'force' });
    expect(candidates.map(({ record }) => record.name).sort()).toEqual(['c++', 'zlib']);
    const settings: MirrorSettings = { format: 1, from: server.url, channels: ['stable'] };
    const trustedRoot = readFileSync(depot.trustedRoot);
    const copy = mkdtempSync(join(work, 'copy-'));
    expect((await mirrorRepository(copy, { settings, trustedRoot })).channels).toMatchObject([
      { packages: 2 },
    ]);
  });
});

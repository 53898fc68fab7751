/** The program as users run it, bundled where it was built: what it asks over HTTP, and a disk that is full. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { icepkg, program } from '../cli/icepkg.ts';

let folder: string;
let server: Server;
let asked: string[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'icepkg-program-'));
  asked = [];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => response.writeHead(request.method === 'POST' ? 204 : 403).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  icepkg(['key', 'generate', join(folder, 'packager')]);
  icepkg(['repo', 'init', join(folder, 'repo'), '--key', join(folder, 'packager.key')]);
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Not `icepkg()`, which would hold up the server. */
async function run(words: string[], env: NodeJS.ProcessEnv = {}): Promise<{ status: number; told: string }> {
  const child = spawn(process.execPath, program(...words), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  child.stdout.on('data', (text: Buffer) => (told += text.toString()));
  child.stderr.on('data', (text: Buffer) => (told += text.toString()));
  const status = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  return { status, told };
}

const publish = (...flags: string[]): string[] => [
  'repo',
  'publish',
  join(folder, 'repo'),
  '--key',
  join(folder, 'packager.key'),
  ...flags,
];

test('webhooks are told', async () => {
  const secret = ['--secret', join(folder, 'webhook.secret')];
  const added = icepkg(['repo', 'webhook', 'add', join(folder, 'repo'), `${address()}/hook`, ...secret]);
  expect(added).toMatchObject({ status: 0 });
  expect(await run(publish())).toMatchObject({ status: 0 });
  expect(await run(['repo', 'webhook', 'deliver', join(folder, 'repo')])).toMatchObject({ status: 0 });
  expect(asked).toEqual(['POST /hook']);
});

test('object stores are asked', async () => {
  const { status, told } = await run(publish('--to', 's3://packages/main'), {
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_REGION: 'here',
    AWS_ENDPOINT_URL: address(),
  });
  expect(told).toContain('403');
  expect(status).not.toBe(0);
  expect(asked[0]).toMatch(/ \/packages\/main\//);
});

const unshare = (...words: readonly string[]): string[] => ['--mount', '--map-root-user', ...words];
const mayMount = spawnSync('unshare', unshare('mount', '-t', 'tmpfs', 'x', tmpdir())).status === 0;

test.runIf(mayMount)('a full disk is named, whoever meets it first', () => {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const script = [
    'mount -t tmpfs -o size=600k x "$1"',
    'cp -r "$2" "$1/repo"',
    'head -c 900000 /dev/zero >"$1/rest" 2>&1 || shift 2',
    'exec "$@"',
  ].join(' && ');
  const command = program('repo', 'publish', join(disk, 'repo'), '--key', join(folder, 'packager.key'));
  const { status, stderr } = spawnSync(
    'unshare',
    unshare('sh', '-c', script, 'sh', disk, join(folder, 'repo'), process.execPath, ...command),
    { encoding: 'utf8' },
  );
  expect(stderr).toContain('no space left');
  expect(stderr).toContain('hint: Free some space');
  expect(status).toBe(11);
});

test('a dry run of a collection tells what would be', () => {
  const { stdout } = icepkg(['repo', 'gc', join(folder, 'repo'), '--dry-run']);
  expect(stdout).toContain('0 files would be removed');
});

/** The whole client over a small repository, as a folder and over HTTP. */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { canonicalJson } from '#schema/canonical-json';
import { openEncoder } from '#schema/container/codec';
import { generateKey, keyId } from '#schema/keys';
import { signMetadata } from '#schema/tuf/metadata';
import { loadConfig } from '#engine/config';
import { attachRepository } from '#engine/config-attach';
import { loadIndexes } from '#engine/client/load-indexes';
import { fetchPackages } from '#engine/client/fetch-packages';
import { initRoot } from '#engine/init-root';
import type { EngineContext } from '#engine/context';
import type { Candidate, Progress } from '#engine/model';
import { canRunAsNobody, icepkg, NOBODY } from '../cli/icepkg.ts';

const key = generateKey();
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const common = { spec_version: '1.0.33', version: 1, expires: '2090-01-01T00:00:00Z' };
const PACKAGE = Buffer.from('no package at all');
let base: string;
let repository: string;
let root: string;
let server: Server;
let requests: string[];

const put = (path: string, bytes: Uint8Array): void => {
  mkdirSync(dirname(join(repository, path)), { recursive: true });
  writeFileSync(join(repository, path), bytes);
};

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'icepkg-repository-'));
  repository = join(base, 'repository');
  root = join(base, 'root');
  mkdirSync(join(root, 'etc/icepkg'), { recursive: true });
  const record = {
    name: 'hello',
    version: '1.0.0-r0',
    arch: 'x86_64',
    installedSize: 0,
    fileCount: 0,
    manifest: { size: 1, sha256: '0'.repeat(64) },
    package: { path: 'packages/hello.icepkg', size: PACKAGE.length, sha256: digest(PACKAGE), headerSize: 1 },
  };
  const shard = await openEncoder('zstd').encode(canonicalJson({ format: 1, packages: [record] }));
  const role = { keyids: [keyId(key.public)], threshold: 1 };
  const roles = { root: role, timestamp: role, snapshot: role, targets: role };
  const metadata = 'channels/stable/metadata';
  const targets = { 'index/x86_64/00.json.zst': { length: shard.length, hashes: { sha256: digest(shard) } } };
  const meta = (name: string) => ({ meta: { [name]: { version: 1 } } });
  const keys = { [keyId(key.public)]: key.public };
  put(
    `${metadata}/root.json`,
    signMetadata({ _type: 'root', ...common, consistent_snapshot: true, keys, roles }, [key]),
  );
  put(
    `${metadata}/timestamp.json`,
    signMetadata({ _type: 'timestamp', ...common, ...meta('snapshot.json') }, [key]),
  );
  put(
    `${metadata}/1.snapshot.json`,
    signMetadata({ _type: 'snapshot', ...common, ...meta('targets.json') }, [key]),
  );
  put(`${metadata}/1.targets.json`, signMetadata({ _type: 'targets', ...common, targets }, [key]));
  put(`targets/index/x86_64/${digest(shard)}.00.json.zst`, shard);
  put('packages/hello.icepkg', PACKAGE);
  requests = [];
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    const file = join(repository, request.url ?? '');
    if (existsSync(file)) response.end(readFileSync(file));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(base, { recursive: true, force: true });
});

function attach(mirror: string): EngineContext {
  const trustedRoot = join(repository, 'channels/stable/metadata/root.json');
  attachRepository(root, { name: 'main', mirrors: [mirror], trustedRoot });
  return {
    root,
    arch: 'x86_64',
    config: loadConfig(root),
    offline: false,
    sync: false,
    now: () => new Date(),
    onProgress: () => undefined,
  };
}

const install = (to: Candidate) =>
  [
    {
      action: 'install',
      name: 'hello',
      arch: 'x86_64',
      oldVersion: undefined,
      newVersion: '1.0.0-r0',
      repository: 'main',
      reason: 'requested',
      from: undefined,
      to,
    },
  ] as const;

const overHttp = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

test('an index that has not changed costs one small request', async () => {
  const context = attach(overHttp());
  expect(await loadIndexes(context, { refresh: 'force' })).toMatchObject([{ record: { name: 'hello' } }]);
  requests.length = 0;
  expect(await loadIndexes(context, { refresh: 'force' })).toHaveLength(1);
  expect(requests).toEqual(['/channels/stable/metadata/timestamp.json']);
});

test('a refresh is told only where a mirror was asked', async () => {
  const told: Progress[] = [];
  const context = { ...attach(overHttp()), onProgress: (progress: Progress) => void told.push(progress) };
  await loadIndexes(context, { refresh: 'force' });
  expect(told).toEqual([false, true].map((done) => ({ phase: 'refresh', repository: 'main', done })));
  told.length = 0;
  const { network } = context.config;
  const patient = { ...context, config: { ...context.config, network: { ...network, maxAge: 3600 } } };
  await loadIndexes(patient, { refresh: 'auto' });
  await loadIndexes({ ...context, offline: true }, { refresh: 'auto' });
  expect(told).toEqual([]);
});

test('a folder is a repository, offline too', async () => {
  const context = { ...attach(repository), offline: true };
  expect(await loadIndexes(context, { refresh: 'auto' })).toHaveLength(1);
});

test('offline goes on with what was fetched, and says so where nothing was', async () => {
  const context = attach(overHttp());
  const offline = { ...context, offline: true };
  await expect(loadIndexes(offline, { refresh: 'auto' })).rejects.toMatchObject({ code: 'offline-missing' });
  await loadIndexes(context, { refresh: 'auto' });
  expect(await loadIndexes(offline, { refresh: 'auto' })).toHaveLength(1);
});

test.runIf(canRunAsNobody)('who may not write the root reads what its owner fetched', async () => {
  initRoot(root, { arch: 'x86_64' });
  await loadIndexes(attach(repository), { refresh: 'force' });
  const timestamp = join(repository, 'channels/stable/metadata/timestamp.json');
  rmSync(timestamp);
  chmodSync(base, 0o755);
  const asNobody = (...words: string[]) => icepkg([...words, '--root', root], { uid: NOBODY });
  expect(asNobody('search', 'hello')).toMatchObject({ status: 0, stderr: '' });
  expect(asNobody('update')).toMatchObject({ status: 7, stderr: expect.stringContaining(timestamp) });
});

test.each(['http', 'folder'])('a damaged package is refused (%s)', async (kind) => {
  const context = attach(kind === 'http' ? overHttp() : repository);
  const [candidate] = await loadIndexes(context, { refresh: 'force' });
  put('packages/hello.icepkg', Buffer.from('no package at aLL'));
  await expect(fetchPackages(context, install(candidate!))).rejects.toMatchObject({
    code: 'package-corrupt',
  });
});

test('a tampered index is refused', async () => {
  const context = attach(overHttp());
  const file = 'channels/stable/metadata/1.targets.json';
  put(file, Buffer.from(readFileSync(join(repository, file), 'utf8').replace('x86_64', 'x86_65')));
  await expect(loadIndexes(context, { refresh: 'force' })).rejects.toMatchObject({ code: 'trust-failed' });
});

/** Publishing to object stores: signatures as documented, and everything else against a real store where one is installed. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { mirrorRepository } from '#repo-server/mirror';
import { passOverTaken } from '#repo-server/object-store/pass-over';
import { openStore, type ObjectStore } from '#repo-server/object-store/s3';
import { signRequest } from '#repo-server/object-store/sign-request';
import { uploadRepository } from '#repo-server/object-store/upload-repository';
import { verifyStore } from '#repo-server/object-store/verify-store';
import { publish } from '#repo-server/publish';
import { addPackages, removePackages } from '#repo-server/add';
import { collectStore } from '#repo-server/object-store/collect-store';
import { sha256 } from '#schema/digest';
import { encodePrivateKey } from '#schema/keys';
import { program } from '../cli/icepkg.ts';
import { plainStore } from '../support/plain-store.ts';
import { wantsRadosGateway, startRadosGateway, type Gateway } from '../support/rados-gateway.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

test('a request is signed as in the example of the specification', () => {
  const { authorization } = signRequest(
    {
      method: 'GET',
      url: new URL('https://examplebucket.s3.amazonaws.com/test.txt'),
      headers: { range: 'bytes=0-9' },
      sha256: sha256(new Uint8Array(0)),
    },
    {
      credentials: {
        accessKey: 'AKIAIOSFODNN7EXAMPLE',
        secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      },
      region: 'us-east-1',
      now: new Date('2013-05-24T00:00:00Z'),
    },
  );
  expect(authorization).toMatch(/SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, /);
  expect(authorization).toMatch(/f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41$/);
});

test('an address or credentials that are not right are refused before anything is published', () => {
  const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  for (const address of ['http://bucket', 's3://', 's3:///x', 's3://Upper'])
    expect(() => openStore(address, env)).toThrow(expect.objectContaining({ code: 'usage' }));
  expect(() => openStore('s3://bucket', {})).toThrow(/no credentials/);
  expect(openStore('s3://bucket/a/b/', env).addressOf('x')).toBe('s3://bucket/a/b/x');
});

test('a store whose list has no end is given up', async () => {
  const answer = '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>';
  const store = createServer((_request, response) => response.end(answer)).listen(0, '127.0.0.1');
  try {
    await once(store, 'listening');
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
    const AWS_ENDPOINT_URL = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;
    const listed = openStore('s3://bucket', { ...env, AWS_ENDPOINT_URL }).list();
    await expect(listed).rejects.toThrow('lists the same objects over and over');
  } finally {
    store.closeAllConnections();
    store.close();
  }
});

test('what is private or elsewhere is not brought, also where a symlink leads there', async () => {
  const depot = await makeDepot();
  const brought: string[] = [];
  const store = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '', 'http://store');
    if (request.method === 'PUT') brought.push(pathname.slice('/bucket/'.length));
    request.resume().on('end', () => {
      const status = request.method === 'PUT' || search !== '' ? 200 : 404;
      response.writeHead(status).end('<ListBucketResult/>');
    });
  }).listen(0, '127.0.0.1');
  try {
    await depot.publish({ name: 'app' });
    await once(store, 'listening');
    const { repository, folder } = depot;
    writeFileSync(join(folder, 'secret'), 'secret');
    symlinkSync(join(folder, 'secret'), join(repository, 'leak'));
    symlinkSync(folder, join(repository, 'outside'));
    symlinkSync('.icepkg', join(repository, 'inside'));
    symlinkSync('nowhere', join(repository, 'dangling'));
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
    const AWS_ENDPOINT_URL = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;
    await uploadRepository(repository, openStore('s3://bucket', { ...env, AWS_ENDPOINT_URL }));
    expect(brought.filter((path) => !/^(?:channels|packages|targets|repository)/.test(path))).toEqual([]);
    expect(brought.at(-1)).toBe('channels/stable/metadata/timestamp.json');
  } finally {
    store.closeAllConnections();
    store.close();
    depot.dispose();
  }
});

test('of two publishers that race for the same numbers one wins, whatever comes first', async () => {
  const depot = await makeDepot();
  const store = plainStore(new Map(), { conditional: true });
  try {
    await once(store, 'listening');
    const AWS_ENDPOINT_URL = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_ENDPOINT_URL };
    /** A connection that is slow with some files. */
    const slowWith = (slow: string): ObjectStore => {
      const opened = openStore('s3://bucket', env);
      const put = opened.put.bind(opened);
      opened.put = async (path, ...more) => {
        if (path.includes(slow)) await sleep(300);
        return put(path, ...more);
      };
      return opened;
    };
    await depot.publish({ name: 'app' });
    await uploadRepository(depot.repository, slowWith('nothing'));
    const other = join(depot.folder, 'other');
    cpSync(depot.repository, other, { recursive: true });
    await depot.publish({ name: 'mine' });
    await addPackages(other, await depot.pack({ name: 'theirs' }));
    await publish(other, { keys: [depot.key] });
    const both = await Promise.allSettled([
      uploadRepository(depot.repository, slowWith('.targets.json')),
      uploadRepository(other, slowWith('.snapshot.json')),
    ]);
    expect(both).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'root-locked' } }]);
  } finally {
    store.closeAllConnections();
    store.close();
    depot.dispose();
  }
});

describe.runIf(wantsRadosGateway)('a real store', () => {
  let gateway: Gateway;
  let depot: Depot;
  const storeAt = (prefix: string): ObjectStore => openStore(`s3://packages/${prefix}`, gateway.env);
  const send = async (path: string, body: string): Promise<number> => {
    const url = new URL(gateway.url + path);
    const credentials = { accessKey: 'AKIATEST', secretKey: 'secret-of-the-test' };
    const unsigned = { method: 'PUT', url, headers: {}, sha256: sha256(Buffer.from(body)) };
    const { host, ...headers } = signRequest(unsigned, { credentials, region: 'us-east-1', now: new Date() });
    expect(host).toBe(url.host);
    return (await fetch(url, { method: 'PUT', headers, body })).status;
  };
  const offered = async (prefix: string): Promise<string[]> =>
    (await loadIndexes(depot.root({ mirror: `${gateway.url}/packages/${prefix}` }), { refresh: 'force' }))
      .map(({ record }) => record.name)
      .sort();

  beforeAll(async () => {
    gateway = await startRadosGateway();
    expect(await send('/packages', '')).toBe(200);
    const manual = readFileSync(join(import.meta.dirname, '../../docs/mirror-operators.md'), 'utf8');
    const policy = /```json\n(\{[^`]*"s3:GetObject"[^`]*)```/.exec(manual)?.[1] ?? '';
    expect(await send('/packages?policy=', policy)).toBeLessThan(300);
    depot = await makeDepot();
    await depot.publish({ name: 'app', files: { 'usr/bin/app': 'a'.repeat(5000) } }, { name: 'c++' });
  });
  afterAll(async () => {
    depot?.dispose();
    await gateway?.stop();
  });

  test('clients and mirrors use what was uploaded; the next upload brings only what is new', async () => {
    const first = await uploadRepository(depot.repository, storeAt('main'));
    expect(first.channels).toEqual(['stable']);
    expect(await offered('main')).toEqual(['app', 'c++']);
    expect(await uploadRepository(depot.repository, storeAt('main'))).toEqual({
      files: 0,
      bytes: 0,
      channels: [],
    });
    await depot.publish({ name: 'new' });
    const second = await uploadRepository(depot.repository, storeAt('main'));
    expect(second.files).toBeLessThan(first.files);
    expect(await offered('main')).toEqual(['app', 'c++', 'new']);
    const copy = join(depot.folder, 'copy');
    const settings = { format: 1 as const, from: `${gateway.url}/packages/main`, channels: ['stable'] };
    const trustedRoot = readFileSync(depot.trustedRoot);
    expect((await mirrorRepository(copy, { settings, trustedRoot })).channels).toMatchObject([
      { packages: 3 },
    ]);
    const entry = await fetch(`${gateway.url}/packages/main/channels/stable/metadata/timestamp.json`);
    expect(entry.headers.get('cache-control')).toBe('no-cache');
    for (const hidden of ['.icepkg/pool.json', '.icepkg/lock.sqlite'])
      expect([403, 404]).toContain((await fetch(`${gateway.url}/packages/main/${hidden}`)).status);
  });

  test('of two publishers that come from the same state one wins, and the other changes nothing', async () => {
    await uploadRepository(depot.repository, storeAt('two'));
    const other = join(depot.folder, 'other');
    cpSync(depot.repository, other, { recursive: true });
    await depot.publish({ name: 'mine' });
    await addPackages(other, await depot.pack({ name: 'theirs' }));
    await publish(other, { keys: [depot.key] });
    const both = await Promise.allSettled([
      uploadRepository(depot.repository, storeAt('two')),
      uploadRepository(other, storeAt('two')),
    ]);
    const lost = both.filter((outcome) => outcome.status === 'rejected');
    expect(lost).toMatchObject([
      { reason: { code: expect.stringMatching(/root-locked|verify-failed/) as string } },
    ]);
    const winner = both[0]?.status === 'fulfilled' ? 'mine' : 'theirs';
    expect(await offered('two')).toContain(winner);
    const [loser, name] = winner === 'mine' ? [other, 'theirs'] : [depot.repository, 'mine'];
    await expect(uploadRepository(loser, storeAt('two'))).rejects.toMatchObject({
      code: expect.stringMatching(/root-locked|verify-failed/) as string,
    });
    expect(await offered('two')).not.toContain(name);
  });

  test('interrupted before the entry, clients see the old state; the next run finishes it', async () => {
    await uploadRepository(depot.repository, storeAt('cut'));
    const before = await offered('cut');
    await depot.publish({ name: 'later' });
    const store = storeAt('cut');
    const put = store.put.bind(store);
    store.put = (path, body, options) => {
      if (path.endsWith('timestamp.json')) throw new Error('killed');
      return put(path, body, options);
    };
    await expect(uploadRepository(depot.repository, store)).rejects.toThrow('killed');
    expect(await offered('cut')).toEqual(before);
    await uploadRepository(depot.repository, storeAt('cut'));
    expect(await offered('cut')).toContain('later');
  });

  test('a publisher that is lost for good is passed over; all that is served then is whole', async () => {
    await uploadRepository(depot.repository, storeAt('lost'));
    const lost = join(depot.folder, 'lost');
    cpSync(depot.repository, lost, { recursive: true });
    await addPackages(lost, await depot.pack({ name: 'lost' }));
    await publish(lost, { keys: [depot.key] });
    const store = storeAt('lost');
    const put = store.put.bind(store);
    store.put = (path, body, options) => {
      if (path.endsWith('timestamp.json')) throw new Error('killed');
      return put(path, body, options);
    };
    await expect(uploadRepository(lost, store)).rejects.toThrow('killed');
    await depot.publish({ name: 'found' });
    const keys = [depot.key];
    expect(await passOverTaken(depot.repository, storeAt('lost'), { keys })).toHaveLength(1);
    await uploadRepository(depot.repository, storeAt('lost'));
    expect(await offered('lost')).toContain('found');
    const verified = await verifyStore(storeAt('lost'), { trustedRoot: readFileSync(depot.trustedRoot) });
    expect(verified.problems).toEqual([]);
    expect(verified.orphans).toContain('packages/x86_64/lost-1.0.0-r0.x86_64.icepkg');
  });

  test('what the repository needs no more is condemned, then removed', async () => {
    const old = 'packages/x86_64/app-1.0.0-r0.x86_64.icepkg';
    const there = async (): Promise<boolean> => (await storeAt('old').list()).has(old);
    await uploadRepository(depot.repository, storeAt('old'));
    await removePackages(depot.repository, ['app']);
    await publish(depot.repository, { keys: [depot.key] });
    await uploadRepository(depot.repository, storeAt('old'));
    const collect = () =>
      collectStore(depot.repository, storeAt('old'), { retention: { keep: 1, days: 0 }, graceHours: 0 });
    expect([(await collect()).condemned.includes(old), await there()]).toEqual([true, true]);
    expect([(await collect()).removed.includes(old), await there()]).toEqual([true, false]);
    expect(await offered('old')).not.toContain('app');
  });

  test('the command publishes and uploads; wrong credentials are named and never shown', () => {
    const key = join(depot.folder, 'packager.key');
    writeFileSync(key, encodePrivateKey(depot.key));
    const run = (env: Readonly<Record<string, string>>) =>
      spawnSync(
        process.execPath,
        program('repo', 'publish', depot.repository, '--key', key, '--to', 's3://packages/cli'),
        { env: { ...process.env, ...env }, encoding: 'utf8' },
      );
    const wrong = run({ ...gateway.env, AWS_SECRET_ACCESS_KEY: 'something-else' });
    expect([wrong.status, wrong.stderr]).toEqual([
      7,
      expect.stringMatching(/s3:\/\/packages\/cli\/.*the store answers 403 \(SignatureDoesNotMatch\)/),
    ]);
    expect(wrong.stderr).not.toMatch(/something-else|secret-of/);
    const good = run(gateway.env);
    expect([good.status, good.stderr]).toEqual([0, '']);
    expect(good.stdout).toMatch(/uploaded \d+ files/);
    const verify = program('repo', 'verify', 's3://packages/cli', '--trust', depot.trustedRoot);
    const env = { ...process.env, ...gateway.env };
    const verified = spawnSync(process.execPath, verify, { env, encoding: 'utf8' });
    expect([verified.status, verified.stderr]).toEqual([0, '']);
    expect(verified.stdout).toMatch(/^1 channel, \d+ snapshots?, \d+ files .*: all well$/m);
  });
});

/** A publisher to an object store that is gone for good, between its metadata and the entry of the channel: others go on past it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { addPackages } from '#repo-server/add';
import { collectGarbage } from '#repo-server/gc';
import { mirrorRepository } from '#repo-server/mirror';
import type { MirrorSettings } from '#repo-server/mirror-settings';
import { checkDescent } from '#repo-server/object-store/ancestry';
import { passOverTaken } from '#repo-server/object-store/pass-over';
import type { ObjectStore } from '#repo-server/object-store/s3';
import { uploadRepository } from '#repo-server/object-store/upload-repository';
import { verifyStore } from '#repo-server/object-store/verify-store';
import { publish } from '#repo-server/publish';
import { encodePrivateKey } from '#schema/keys';
import { program } from '../cli/icepkg.ts';
import { startPlainStore, type PlainStore } from '../support/plain-store.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let other: string;
let plain: PlainStore;
let objects: Map<string, Buffer>;
beforeEach(async () => {
  plain = await startPlainStore({ conditional: true });
  objects = plain.objects;
  depot = await makeDepot();
  await depot.publish({ name: 'app' });
  await uploadRepository(depot.repository, store());
  other = join(depot.folder, 'other');
  cpSync(depot.repository, other, { recursive: true });
});
afterEach(() => {
  plain.stop();
  depot.dispose();
});

const store = () => plain.open();
const offered = async (): Promise<string[]> =>
  (await loadIndexes(depot.root({ mirror: `${plain.address}/bucket` }), { refresh: 'force' }))
    .map(({ record }) => record.name)
    .sort();
const keys = (): { keys: readonly Depot['key'][] } => ({ keys: [depot.key] });

/** Publishes in a folder that is no longer the other one's state. */
async function publishTheirs(name = 'theirs'): Promise<void> {
  await addPackages(other, await depot.pack({ name }));
  await publish(other, keys());
}

/** A store at which the publisher is killed as it comes to what ends so. */
function killedAt(ending: string): ObjectStore {
  const opened = store();
  const put = opened.put.bind(opened);
  opened.put = (path, ...more) => {
    if (path.endsWith(ending)) throw new Error('killed');
    return put(path, ...more);
  };
  return opened;
}

test.each(['timestamp.json', '2.targets.json'])(
  'a publisher that died at %s keeps nobody out, and nothing that it left is touched',
  async (ending) => {
    await publishTheirs('lost');
    await expect(uploadRepository(other, killedAt(ending))).rejects.toThrow('killed');
    const left = new Map(objects);
    await depot.publish({ name: 'mine' });
    await expect(uploadRepository(depot.repository, store())).rejects.toMatchObject({ code: 'root-locked' });
    const passed = await passOverTaken(depot.repository, store(), keys());
    expect(passed).toEqual([{ channel: 'stable', taken: 2, version: 3 }]);
    await uploadRepository(depot.repository, store());
    expect(await offered()).toEqual(['app', 'mine']);
    for (const [path, bytes] of left)
      if (!/(?:timestamp|root|repository)\.json$/.test(path)) expect(objects.get(path)).toBe(bytes);
    expect((await verifyStore(store())).problems).toEqual([]);
    // From then on it is as ever, also for roots that stay at a snapshot.
    await depot.publish({ name: 'next' });
    expect(await passOverTaken(depot.repository, store(), keys())).toEqual([]);
    await uploadRepository(depot.repository, store());
    expect(await offered()).toEqual(['app', 'mine', 'next']);
    expect(await verifyStore(store())).toMatchObject({ snapshots: 3, problems: [] });
  },
);

test('the first publisher of a channel may be the one that died', async () => {
  objects.clear();
  await publishTheirs('lost');
  await expect(uploadRepository(other, killedAt('timestamp.json'))).rejects.toThrow('killed');
  await depot.publish({ name: 'mine' });
  expect(await passOverTaken(depot.repository, store(), keys())).toMatchObject([{ taken: 2, version: 3 }]);
  await uploadRepository(depot.repository, store());
  expect(await offered()).toEqual(['app', 'mine']);
});

test('one that was only slow wins or loses as a whole', async () => {
  await publishTheirs();
  let resolve = (): void => undefined;
  const passedOver = new Promise<void>((done) => (resolve = done));
  const slow = store();
  const put = slow.put.bind(slow);
  slow.put = async (path, ...more) => {
    if (path.endsWith('timestamp.json')) await passedOver;
    return put(path, ...more);
  };
  // It comes to its entry once the other one, who took it for dead, is done.
  const first = uploadRepository(other, slow);
  first.catch(() => undefined);
  await expect.poll(() => objects.has('channels/stable/metadata/2.targets.json')).toBe(true);
  await depot.publish({ name: 'mine' });
  await passOverTaken(depot.repository, store(), keys());
  await uploadRepository(depot.repository, store());
  resolve();
  await expect(first).rejects.toMatchObject({ code: 'root-locked' });
  expect(await offered()).toEqual(['app', 'mine']);
  expect((await verifyStore(store())).problems).toEqual([]);
});

test('what another copy published is never passed over', async () => {
  await publishTheirs();
  await depot.publish({ name: 'mine' });
  await uploadRepository(other, store());
  // However many publishes this copy is ahead.
  await depot.publish({ name: 'more' });
  await depot.publish({ name: 'still-more' });
  expect(await passOverTaken(depot.repository, store(), keys())).toEqual([]);
  await expect(uploadRepository(depot.repository, store())).rejects.toMatchObject({
    code: 'verify-failed',
    message: expect.stringMatching(/serves what did not come from this repository/) as string,
  });
  expect(await offered()).toEqual(['app', 'theirs']);
});

test('what another copy published since then is never replaced, however often the command is typed again', async () => {
  for (const name of ['theirs', 'theirs-too']) {
    await publishTheirs(name);
    await uploadRepository(other, store());
  }
  const refused = { code: 'verify-failed', message: /stable.*serves what did not come from this repository/ };
  await depot.publish({ name: 'mine' });
  for (let time = 0; time < 3; time++) {
    await expect(
      checkDescent({ repository: depot.repository, store: store() }, 'stable'),
    ).rejects.toMatchObject(refused);
    expect(await passOverTaken(depot.repository, store(), keys())).toEqual([]);
    await expect(uploadRepository(depot.repository, store())).rejects.toMatchObject(refused);
    await publish(depot.repository, keys());
  }
  expect(await offered()).toEqual(['app', 'theirs', 'theirs-too']);
  // The way out that the hint names.
  const settings: MirrorSettings = { format: 1, from: `${plain.address}/bucket`, channels: ['stable'] };
  const fresh = join(depot.folder, 'fresh');
  await mirrorRepository(fresh, { settings, trustedRoot: readFileSync(depot.trustedRoot) });
  await addPackages(fresh, await depot.pack({ name: 'mine' }));
  await publish(fresh, keys());
  await checkDescent({ repository: fresh, store: store() }, 'stable');
  await uploadRepository(fresh, store());
  expect(await offered()).toEqual(['app', 'mine', 'theirs', 'theirs-too']);
  expect((await verifyStore(store())).problems).toEqual([]);
});

test('the command refuses before it signs anything', async () => {
  await publishTheirs();
  await uploadRepository(other, store());
  await addPackages(depot.repository, await depot.pack({ name: 'mine' }));
  const entry = join(depot.repository, 'channels/stable/metadata/timestamp.json');
  const before = readFileSync(entry);
  const key = join(depot.folder, 'packager.key');
  writeFileSync(key, encodePrivateKey(depot.key));
  const command = program('repo', 'publish', depot.repository, '--key', key, '--to', 's3://bucket');
  const child = spawn(process.execPath, command, {
    env: { ...process.env, ...plain.environment },
    stdio: 'ignore',
  });
  expect(await once(child, 'exit')).toEqual([16, null]);
  expect(readFileSync(entry)).toEqual(before);
});

test('a channel that only the other copy made is refused before anything is signed for it', async () => {
  await publish(other, { ...keys(), channel: 'beta' });
  await uploadRepository(other, store());
  await checkDescent({ repository: depot.repository, store: store() }, 'stable');
  await expect(checkDescent({ repository: depot.repository, store: store() }, 'beta')).rejects.toThrow(
    /beta/,
  );
});

test('a folder that has collected what it brought there still knows it', async () => {
  for (const name of ['one', 'two', 'three']) await depot.publish({ name });
  const collect = { retention: { keep: 1, days: 0 }, graceHours: 0 };
  for (let time = 0; time < 2; time++) await collectGarbage(depot.repository, collect);
  expect(existsSync(join(depot.repository, 'channels/stable/metadata/1.snapshot.json'))).toBe(false);
  await checkDescent({ repository: depot.repository, store: store() }, 'stable');
  await uploadRepository(depot.repository, store());
  expect(await offered()).toEqual(['app', 'one', 'three', 'two']);
});

test('a name with a great number lifts no version', async () => {
  await publishTheirs('lost');
  await expect(uploadRepository(other, killedAt('timestamp.json'))).rejects.toThrow('killed');
  objects.set('channels/stable/metadata/999999999999999.snapshot.json', Buffer.from('{}'));
  await depot.publish({ name: 'mine' });
  expect(await passOverTaken(depot.repository, store(), keys())).toMatchObject([{ taken: 2, version: 3 }]);
  await uploadRepository(depot.repository, store());
  expect(await offered()).toEqual(['app', 'mine']);
});

test('one that passed the other over before that one served its state is refused', async () => {
  await publishTheirs();
  await expect(uploadRepository(other, killedAt('timestamp.json'))).rejects.toThrow('killed');
  await depot.publish({ name: 'mine' });
  expect(await passOverTaken(depot.repository, store(), keys())).toHaveLength(1);
  await uploadRepository(other, store());
  await expect(uploadRepository(depot.repository, store())).rejects.toMatchObject({ code: 'verify-failed' });
  expect(await offered()).toEqual(['app', 'theirs']);
});

test('a package that somebody left under the same name, and of the same size, is never taken for ours', async () => {
  await publishTheirs('lost');
  await expect(uploadRepository(other, killedAt('timestamp.json'))).rejects.toThrow('killed');
  const path = 'packages/x86_64/lost-1.0.0-r0.x86_64.icepkg';
  await depot.publish({ name: 'lost', description: 'ours' });
  const theirs = Buffer.alloc(statSync(join(depot.repository, path)).size, 'x');
  objects.set(path, theirs);
  await passOverTaken(depot.repository, store(), keys());
  await expect(uploadRepository(depot.repository, store())).rejects.toMatchObject({
    code: 'verify-failed',
    message: expect.stringContaining(path) as string,
  });
  expect([objects.get(path), await offered()]).toEqual([theirs, ['app']]);
  objects.delete(path);
  await uploadRepository(depot.repository, store());
  expect(await offered()).toEqual(['app', 'lost']);
  expect((await verifyStore(store())).problems).toEqual([]);
});

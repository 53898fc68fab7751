/** Verifying a repository where it lies in an object store: every file that is served is read, and what is wrong is named. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removePackages } from '#repo-server/add';
import { uploadRepository } from '#repo-server/object-store/upload-repository';
import { verifyStore } from '#repo-server/object-store/verify-store';
import { publish } from '#repo-server/publish';
import { startPlainStore, type PlainStore } from '../support/plain-store.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let plain: PlainStore;
let objects: Map<string, Buffer>;
beforeEach(async () => {
  plain = await startPlainStore();
  objects = plain.objects;
  depot = await makeDepot();
  await depot.publish({ name: 'zlib', files: { 'usr/lib/libz.so': 'z'.repeat(70_000) } }, { name: 'c++' });
  await uploadRepository(depot.repository, store());
});
afterEach(() => {
  plain.stop();
  depot.dispose();
});

const store = () => plain.open();
const OLD = 'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg';

/** The object whose path ends so, changed in one byte. */
function damage(ending: string): string {
  const [path, bytes] = [...objects].find(([name]) => name.endsWith(ending)) ?? ['', Buffer.alloc(0)];
  const changed = Buffer.from(bytes);
  changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
  objects.set(path, changed);
  return path;
}

test('everything that is served is read; snapshots that roots may stay at, too', async () => {
  expect(await verifyStore(store())).toMatchObject({ channels: 1, snapshots: 1, files: 2, problems: [] });
  await removePackages(depot.repository, ['zlib']);
  await depot.publish({ name: 'zlib', version: '2.0.0-r0' });
  await uploadRepository(depot.repository, store());
  const trustedRoot = readFileSync(depot.trustedRoot);
  expect(await verifyStore(store(), { trustedRoot })).toMatchObject({ snapshots: 2, files: 3, problems: [] });
  // Only an older snapshot names it.
  damage('zlib-1.0.0-r0.x86_64.icepkg');
  expect(await verifyStore(store())).toMatchObject({ problems: [`${OLD} is damaged`] });
});

test('a package that two snapshots name with two contents is wrong, whichever is there', async () => {
  const before = objects.get(OLD) ?? Buffer.alloc(0);
  await removePackages(depot.repository, ['zlib']);
  await publish(depot.repository, { keys: [depot.key] });
  rmSync(join(depot.repository, OLD));
  rmSync(join(depot.repository, '.icepkg/pool.json'));
  await depot.publish({ name: 'zlib', description: 'signed again' });
  await uploadRepository(depot.repository, store());
  for (const bytes of [before, readFileSync(join(depot.repository, OLD))]) {
    objects.set(OLD, bytes);
    expect(await verifyStore(store())).toMatchObject({ problems: [`${OLD} is damaged`] });
  }
});

test('what is damaged, cut short or missing is named, and everything else is looked at all the same', async () => {
  const damaged = damage('zlib-1.0.0-r0.x86_64.icepkg');
  objects.delete('packages/x86_64/c++-1.0.0-r0.x86_64.icepkg');
  expect((await verifyStore(store())).problems.toSorted()).toEqual([
    'packages/x86_64/c++-1.0.0-r0.x86_64.icepkg is missing',
    `${damaged} is damaged`,
  ]);
  objects.set(damaged, Buffer.from('short'));
  expect((await verifyStore(store())).problems).toContain(`${damaged} is damaged`);
});

test('an index or a signature that is not what was signed is found', async () => {
  const shard = damage('.json.zst');
  expect((await verifyStore(store())).problems).toEqual([expect.stringContaining(shard)]);
  damage('timestamp.json');
  const { problems, files } = await verifyStore(store());
  expect([problems.length, files]).toEqual([1, 0]);
});

test('packages of another key are no problem to whoever gives no root, and one to whoever does', async () => {
  const other = await makeDepot();
  try {
    const trustedRoot = readFileSync(other.trustedRoot);
    const { problems } = await verifyStore(store(), { trustedRoot });
    expect(problems).toEqual([expect.stringMatching(/sign/)]);
  } finally {
    other.dispose();
  }
});

test('what nothing served names is counted and is no problem', async () => {
  objects.set('packages/x86_64/left-1.0.0-r0.x86_64.icepkg', Buffer.from('left'));
  objects.set('notes.txt', Buffer.from('notes'));
  expect(await verifyStore(store())).toMatchObject({
    orphans: ['packages/x86_64/left-1.0.0-r0.x86_64.icepkg'],
    orphanBytes: 4,
    problems: [],
  });
});

test('a place that serves nothing is not well', async () => {
  objects.clear();
  await expect(verifyStore(store())).rejects.toMatchObject({ code: 'not-found' });
});

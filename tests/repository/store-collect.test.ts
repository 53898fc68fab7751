/** Garbage collection in an object store: what goes, when, and that it goes only where the store serves what the folder does. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { removePackages } from '#repo-server/add';
import { collectGarbage } from '#repo-server/gc';
import { collectStore } from '#repo-server/object-store/collect-store';
import { uploadRepository } from '#repo-server/object-store/upload-repository';
import { startPlainStore, type PlainStore } from '../support/plain-store.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let plain: PlainStore;
let objects: Map<string, Buffer>;
beforeEach(async () => {
  plain = await startPlainStore();
  objects = plain.objects;
  depot = await makeDepot();
  await depot.publish({ name: 'zlib' });
});
afterEach(() => {
  plain.stop();
  depot.dispose();
});

const store = () => plain.open();
const later = (hours: number): Date => new Date(Date.now() + hours * 3_600_000);
const retention = { keep: 1, days: 0 };
const collect = (now?: Date) =>
  collectStore(depot.repository, store(), { retention, ...(now === undefined ? {} : { now }) });
const upload = () => uploadRepository(depot.repository, store());
const OLD = 'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg';

async function replace(): Promise<void> {
  await removePackages(depot.repository, ['zlib']);
  await depot.publish({ name: 'zlib', version: '2.0.0-r0' });
}

test('two steps: condemned first, removed by a later run, and clients find all that is served', async () => {
  await upload();
  await replace();
  await upload();
  const dry = await collectStore(depot.repository, store(), { retention, dryRun: true });
  expect(dry.condemned).toContain(OLD);
  expect(await collect()).toMatchObject({ removed: [], condemned: dry.condemned });
  expect(await collect(later(23))).toMatchObject({ removed: [], condemned: [], waiting: dry.condemned });
  expect(objects.has(OLD)).toBe(true);
  // The folder is collected on its own: what it has lost already goes from the store all the same.
  await collectGarbage(depot.repository, { retention });
  await collectGarbage(depot.repository, { retention, now: later(25) });
  const { removed, removedBytes } = await collect(later(25));
  expect(removed).toEqual(dry.condemned);
  expect(removedBytes).toBeGreaterThan(0);
  expect(removed.filter((path) => objects.has(path))).toEqual([]);
  const offered = await loadIndexes(depot.root({ mirror: `${plain.address}/bucket` }), { refresh: 'force' });
  expect(offered.map(({ record }) => record.version)).toEqual(['2.0.0-r0']);
  for (const { record } of offered) expect(objects.has(record.package.path)).toBe(true);
  expect(await upload()).toMatchObject({ files: 0 });
});

test('what comes into use again before it goes stays', async () => {
  await upload();
  await replace();
  await upload();
  await collect();
  await depot.publish({ name: 'zlib' });
  await upload();
  expect((await collect(later(48))).removed).not.toContain(OLD);
  expect(objects.has(OLD)).toBe(true);
});

test('where the store serves something else, or a channel more, nothing is judged', async () => {
  await upload();
  const copy = join(depot.folder, 'copy');
  cpSync(depot.repository, copy, { recursive: true });
  await replace();
  await expect(collect()).rejects.toMatchObject({
    code: 'verify-failed',
    message: expect.stringMatching(/stable\/metadata\/timestamp\.json: is not what this repository serves/),
  });
  await upload();
  await expect(collectStore(copy, store(), { retention })).rejects.toMatchObject({ code: 'verify-failed' });
  const entry = objects.get('channels/stable/metadata/timestamp.json') ?? Buffer.alloc(0);
  objects.set('channels/beta/metadata/timestamp.json', entry);
  await expect(collect()).rejects.toThrow(/channels\/beta/);
  expect(objects.has(OLD)).toBe(true);
});

test('an object that is none of a repository stays', async () => {
  await upload();
  for (const strange of ['notes.txt', 'packages/x86_64/README', 'elsewhere/x.icepkg'])
    objects.set(strange, Buffer.from('x'));
  expect((await collect()).condemned).toEqual([]);
});

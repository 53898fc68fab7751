/** Garbage collection: what is given up, when it goes, and what never does; and the check of a whole repository. */
import { existsSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { addPackages, removePackages } from '#repo-server/add';
import { collectGarbage, type CollectOptions } from '#repo-server/gc';
import { promote, rollbackChannel } from '#repo-server/promote';
import { snapshotsToKeep } from '#repo-server/retention';
import { snapshotNumbers } from '#repo-server/snapshots';
import { verifyRepository } from '#repo-server/verify';
import { makeDepot, type Depot } from '../support/repository.ts';

const HOUR = 3_600_000;
let depot: Depot;
beforeEach(async () => {
  depot = await makeDepot();
});
afterEach(() => depot.dispose());

const file = (version: string): string =>
  join(depot.repository, `packages/x86_64/zlib-${version}.x86_64.icepkg`);
const later = (hours: number): Date => new Date(Date.now() + hours * HOUR);
const collect = (options: CollectOptions = {}) =>
  collectGarbage(depot.repository, { retention: { keep: 1, days: 0 }, ...options });
const replaceBy = async (version: string): Promise<void> => {
  await removePackages(depot.repository, ['zlib']);
  await depot.publish({ name: 'zlib', version });
};

test('two steps: condemned first, removed by a later run, never earlier than the grace', async () => {
  await depot.publish({ name: 'zlib' });
  const root = depot.root();
  const before = await loadIndexes(root, { refresh: 'force' });
  await replaceBy('2.0.0-r0');
  expect((await collect({ dryRun: true })).condemned).not.toEqual([]);
  const first = await collect();
  expect(first).toMatchObject({ snapshots: [1], removed: [], waiting: [] });
  expect(first.condemned).toContain('packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg');
  // Whoever refreshed before still finds what that index names.
  for (const { record } of before) expect(existsSync(join(depot.repository, record.package.path))).toBe(true);
  expect(await collect({ now: later(23) })).toMatchObject({ removed: [], condemned: [] });
  expect((await collect({ now: later(25) })).removed).toEqual(
    expect.arrayContaining(['packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg']),
  );
  expect([existsSync(file('1.0.0-r0')), existsSync(file('2.0.0-r0'))]).toEqual([false, true]);
  expect(await loadIndexes(root, { refresh: 'force' })).toHaveLength(1);
  expect((await verifyRepository(depot.repository)).problems).toEqual([]);
});

test('what comes into use again before it is removed stays', async () => {
  await depot.publish({ name: 'zlib' });
  await replaceBy('2.0.0-r0');
  await collect();
  await replaceBy('1.0.0-r0');
  const collected = await collect({ now: later(48) });
  expect(collected.removed).not.toContain('packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg');
  expect((await verifyRepository(depot.repository)).problems).toEqual([]);
});

test('another content never comes back under the name of what was collected', async () => {
  await depot.publish({ name: 'zlib' });
  const [same = ''] = await depot.pack({ name: 'zlib' });
  await replaceBy('2.0.0-r0');
  await collect();
  await collect({ now: later(25) });
  const other = await depot.pack({ name: 'zlib', description: 'another' });
  await expect(addPackages(depot.repository, other)).rejects.toMatchObject({ code: 'usage' });
  await addPackages(depot.repository, [same]);
});

test('what another channel, an older snapshot or the stage needs is spared, and so are strange files', async () => {
  await depot.publish({ name: 'zlib' });
  await promote(depot.repository, { from: 'stable', channel: 'old', keys: [depot.key] });
  await replaceBy('2.0.0-r0');
  await replaceBy('3.0.0-r0');
  await addPackages(depot.repository, await depot.pack({ name: 'zlib', version: '4.0.0-r0' }));
  writeFileSync(join(depot.repository, 'packages/README'), 'mine');
  const retention = { keep: 2, days: 0 };
  await collect({ retention });
  await collect({ retention, now: later(25) });
  expect(['1', '2', '3', '4'].map((major) => existsSync(file(`${major}.0.0-r0`)))).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(existsSync(join(depot.repository, 'packages/README'))).toBe(true);
  await rollbackChannel(depot.repository, { keys: [depot.key], discardStaged: true });
  expect(snapshotNumbers(depot.repository)).toEqual([1, 2, 3]);
});

test('an index that cannot be read stops the collection', async () => {
  await depot.publish({ name: 'zlib' });
  await replaceBy('2.0.0-r0');
  const folder = join(depot.repository, 'targets/index/x86_64');
  for (const name of readdirSync(folder)) truncateSync(join(folder, name), 20);
  await expect(collect()).rejects.toMatchObject({ code: 'verify-failed' });
});

test('snapshots are kept by count, by age and by channel', () => {
  const snapshots = [1, 2, 3, 4].map((number) => ({
    number,
    created: `2026-01-0${number}T00:00:00Z`,
    channels: [number % 2 === 0 ? 'nightly' : 'stable'],
  }));
  const kept = (retention: Parameters<typeof snapshotsToKeep>[0]['retention']): number[] =>
    [
      ...snapshotsToKeep({
        snapshots,
        served: new Set([1]),
        retention,
        now: new Date('2026-01-05T12:00:00Z'),
      }),
    ].sort((a, b) => a - b);
  expect(kept(undefined)).toEqual([1, 2, 3, 4]);
  expect(kept({ keep: 0, days: 0 })).toEqual([1]);
  expect(kept({ keep: 1, days: 0 })).toEqual([1, 3, 4]);
  expect(kept({ keep: 0, days: 3 })).toEqual([1, 3, 4]);
  expect(kept({ keep: 0, days: 0, channels: { nightly: { keep: 2 } } })).toEqual([1, 2, 4]);
});

test('every kind of damage is named', async () => {
  await depot.publish({ name: 'zlib' }, { name: 'bash' });
  expect(await verifyRepository(depot.repository)).toMatchObject({ channels: 1, files: 2, problems: [] });
  expect((await verifyRepository(depot.repository, later(24 * 31))).problems).toEqual([
    expect.stringContaining('expired'),
  ]);
  writeFileSync(file('1.0.0-r0'), 'other');
  rmSync(join(depot.repository, 'packages/x86_64/bash-1.0.0-r0.x86_64.icepkg'));
  expect((await verifyRepository(depot.repository)).problems.toSorted()).toEqual([
    expect.stringMatching(/bash-1\.0\.0-r0\.x86_64\.icepkg is missing$/),
    'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg is damaged',
  ]);
});

/** Snapshots and channels: what publishing keeps, promoting moves and going back restores. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import type { EngineContext } from '#engine/context';
import { addPackages, removePackages } from '#repo-server/add';
import { readPool } from '#repo-server/pool';
import { diffSnapshots, diffStaged, promote, rollbackChannel } from '#repo-server/promote';
import { publish, takeSnapshot } from '#repo-server/publish';
import { listSnapshots, readSnapshot } from '#repo-server/snapshots';
import { canonicalJson } from '#schema/canonical-json';
import { encodePrivateKey } from '#schema/keys';
import { icepkg } from '../cli/icepkg.ts';
import { makeDepot, type DeclaredPackage, type Depot } from '../support/repository.ts';

let depot: Depot;
let keys: Depot['key'][];
beforeEach(async () => {
  depot = await makeDepot();
  keys = [depot.key];
});
afterEach(() => depot.dispose());

const offered = async (context: EngineContext): Promise<string[]> =>
  (await loadIndexes(context, { refresh: 'force' }))
    .map(({ record }) => `${record.name}-${record.version}`)
    .sort();
const add = async (channel: string, ...packages: readonly DeclaredPackage[]): Promise<void> => {
  await addPackages(depot.repository, await depot.pack(...packages), { channel });
};
const publishTo = async (channel: string, ...packages: readonly DeclaredPackage[]) => {
  await add(channel, ...packages);
  return publish(depot.repository, { keys, channel, message: `to ${channel}` });
};

test('each publish is a snapshot of its own; one without a change is none', async () => {
  expect((await publishTo('stable', { name: 'zlib' })).snapshot).toBe(1);
  expect((await publishTo('beta', { name: 'bash' })).snapshot).toBe(2);
  expect(await publish(depot.repository, { keys })).toMatchObject({ changed: false, snapshot: 1 });
  expect(listSnapshots(depot.repository)).toMatchObject([
    { number: 2, channel: 'beta', message: 'to beta', packages: 1, servedAs: ['beta'] },
    { number: 1, channel: 'stable', message: 'to stable', packages: 1, servedAs: ['stable'] },
  ]);
});

test('a channel is promoted as it is, and what comes later stays apart', async () => {
  await publishTo('stable', { name: 'old' });
  const root = depot.root();
  await publishTo('beta', { name: 'zlib' }, { name: 'bash', depends: ['zlib'] });
  const plan = await promote(depot.repository, { from: 'beta', channel: 'stable', keys: [], dryRun: true });
  expect(plan).toMatchObject({ snapshot: 2, previous: 1, broken: [], changed: true, written: [] });
  expect(plan.diff).toMatchObject({
    added: [{ name: 'bash' }, { name: 'zlib' }],
    removed: [{ name: 'old' }],
  });
  expect(await offered(root)).toEqual(['old-1.0.0-r0']);
  await promote(depot.repository, { from: 'beta', channel: 'stable', keys, message: 'tried for a week' });
  expect(await offered(root)).toEqual(['bash-1.0.0-r0', 'zlib-1.0.0-r0']);
  expect(listSnapshots(depot.repository)[0]).toMatchObject({
    message: 'to beta',
    servedAs: ['beta', 'stable'],
    moves: [{ channel: 'stable', message: 'tried for a week' }],
  });
  expect(await promote(depot.repository, { from: '2', channel: 'stable', keys })).toMatchObject({
    changed: false,
  });
  await publishTo('beta', { name: 'later' });
  expect(await offered(root)).not.toContain('later-1.0.0-r0');
  // What is published next builds on what was promoted.
  await publishTo('stable', { name: 'more' });
  expect(await offered(root)).toEqual(['bash-1.0.0-r0', 'more-1.0.0-r0', 'zlib-1.0.0-r0']);
});

test('a promotion that breaks a dependency is refused, unless that is wanted or was so before', async () => {
  await publishTo('stable', { name: 'app', depends: ['lib'] }, { name: 'lib' });
  await publishTo('beta', { name: 'app', version: '2.0.0-r0', depends: ['lib@^2'] }, { name: 'lib' });
  const options = { from: 'beta', channel: 'stable', keys };
  await expect(promote(depot.repository, options)).rejects.toMatchObject({
    code: 'verify-failed',
    data: { broken: [{ package: 'app', dependency: 'lib@^2' }] },
  });
  expect(await offered(depot.root())).toEqual(['app-1.0.0-r0', 'lib-1.0.0-r0']);
  const { broken, snapshot } = await promote(depot.repository, { ...options, allowBroken: true });
  expect([broken.length, snapshot]).toEqual([1, 2]);
  await publishTo('beta', { name: 'other' });
  expect((await promote(depot.repository, options)).broken).toEqual([]);
});

test('going back again and again, and where to', async () => {
  const root = depot.root();
  for (const version of ['1.0.0-r0', '2.0.0-r0', '3.0.0-r0']) {
    if (version !== '1.0.0-r0') await removePackages(depot.repository, ['zlib']);
    await publishTo('stable', { name: 'zlib', version });
  }
  expect(await offered(root)).toEqual(['zlib-3.0.0-r0']);
  const moved = await rollbackChannel(depot.repository, { keys });
  expect(moved).toMatchObject({ snapshot: 2, previous: 3 });
  expect(moved.diff.downgraded).toMatchObject([{ name: 'zlib', from: '3.0.0-r0', to: '2.0.0-r0' }]);
  expect(await offered(root)).toEqual(['zlib-2.0.0-r0']);
  await rollbackChannel(depot.repository, { keys });
  expect(await offered(root)).toEqual(['zlib-1.0.0-r0']);
  await expect(rollbackChannel(depot.repository, { keys })).rejects.toMatchObject({ code: 'not-found' });
  await rollbackChannel(depot.repository, { keys, to: 3 });
  expect(await offered(root)).toEqual(['zlib-3.0.0-r0']);
  await expect(rollbackChannel(depot.repository, { keys, to: 9 })).rejects.toMatchObject({
    code: 'not-found',
  });
});

test('what was added and never published stops a promotion, and can be given up', async () => {
  await publishTo('stable', { name: 'zlib' });
  await publishTo('beta', { name: 'bash' });
  await add('stable', { name: 'half' });
  expect(await diffStaged(depot.repository, 'stable')).toMatchObject({ added: [{ name: 'half' }] });
  const options = { from: 'beta', channel: 'stable', keys };
  await expect(promote(depot.repository, options)).rejects.toMatchObject({ code: 'usage' });
  await promote(depot.repository, { ...options, discardStaged: true });
  await publish(depot.repository, { keys });
  expect(await offered(depot.root())).toEqual(['bash-1.0.0-r0']);
});

test('what a channel never published is not promoted from it, and counted', async () => {
  await publishTo('beta', { name: 'zlib' });
  const key = join(depot.folder, 'publisher.key');
  writeFileSync(key, encodePrivateKey(depot.key));
  const words = ['repo', 'promote', depot.repository, 'beta', 'stable', '--key', key];
  expect(icepkg(words)).toMatchObject({ status: 0, stderr: '' });
  await add('beta', { name: 'bash' });
  await removePackages(depot.repository, ['zlib'], { channel: 'beta' });
  const { status, stdout, stderr } = icepkg(words);
  expect([status, stdout]).toEqual([0, 'stable serves beta already\n']);
  expect(stderr).toContain('beta has 2 packages to add or remove that it never published');
  expect(stderr).toContain(`icepkg repo publish ${depot.repository} --channel beta`);
  const options = { from: 'beta', channel: 'stable', keys };
  expect(await promote(depot.repository, { ...options, dryRun: true })).toMatchObject({ unpublished: 2 });
  expect(await promote(depot.repository, { ...options, from: '1' })).toMatchObject({ unpublished: 0 });
  await publish(depot.repository, { keys, channel: 'beta' });
  expect(await promote(depot.repository, options)).toMatchObject({ changed: true, unpublished: 0 });
});

test('a snapshot without a channel is seen by nobody until it is promoted', async () => {
  await publishTo('stable', { name: 'zlib' });
  await add('stable', { name: 'bash' });
  expect(await takeSnapshot(depot.repository, { message: 'kept' })).toEqual({ number: 2, packages: 2 });
  expect(await offered(depot.root())).toEqual(['zlib-1.0.0-r0']);
  expect(diffSnapshots(depot.repository, 'stable', '2')).toMatchObject({ added: [{ name: 'bash' }] });
  await promote(depot.repository, { from: '2', channel: 'stable', keys, discardStaged: true });
  expect(await offered(depot.root())).toEqual(['bash-1.0.0-r0', 'zlib-1.0.0-r0']);
});

test('a snapshot stays as it is, whatever is published later', async () => {
  await publishTo('stable', { name: 'zlib' });
  const before = canonicalJson(readSnapshot(depot.repository, 1));
  await publishTo('stable', { name: 'bash' });
  expect(canonicalJson(readSnapshot(depot.repository, 1))).toEqual(before);
  expect(diffSnapshots(depot.repository, '1', '2')).toMatchObject({ added: [{ name: 'bash' }] });
});

test('the notes of an older icepkg are read, and a copy without notes never reuses a number', async () => {
  await publishTo('stable', { name: 'zlib' });
  await add('beta', { name: 'bash' });
  const file = join(depot.repository, '.icepkg/pool.json');
  const notes = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, { name: string }> };
  const packages = Object.values(notes.packages);
  expect([...readPool(depot.repository).records.paths()]).toHaveLength(2);
  writeFileSync(file, JSON.stringify({ ...notes, format: 2, packages }));
  expect([...readPool(depot.repository).staged.keys()]).toEqual(['beta']);
  const old = packages.map((record) => ({ record, channels: [record.name === 'zlib' ? 'stable' : 'beta'] }));
  writeFileSync(file, JSON.stringify({ format: 1, packages: old }));
  expect([...readPool(depot.repository).records.paths()]).toHaveLength(2);
  expect(await publish(depot.repository, { keys })).toMatchObject({ changed: false });
  expect(await publish(depot.repository, { keys, channel: 'beta' })).toMatchObject({
    packages: 1,
    snapshot: 2,
  });
});

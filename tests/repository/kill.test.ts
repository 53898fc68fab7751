/** A publisher that is really killed: readers go on, and so does the next publisher. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { addPackages, removePackages } from '#repo-server/add';
import { collectGarbage } from '#repo-server/gc';
import { publish } from '#repo-server/publish';
import { verifyRepository } from '#repo-server/verify';
import { encodePrivateKey } from '#schema/keys';
import { makeDepot, type Depot } from '../support/repository.ts';

const child = fileURLToPath(new URL('./publish-child.ts', import.meta.url));
let depot: Depot;
beforeEach(async () => {
  depot = await makeDepot();
});
afterEach(() => depot.dispose());

test('killed before each write in turn', async () => {
  await depot.publish({ name: 'first' });
  const key = join(depot.folder, 'publisher.key');
  writeFileSync(key, encodePrivateKey(depot.key));
  const root = depot.root();
  const names = async (): Promise<string[]> =>
    (await loadIndexes(root, { refresh: 'force' })).map(({ record }) => record.name).sort();
  for (const step of [0, 1, 2, 3, 4]) {
    await addPackages(depot.repository, await depot.pack({ name: `p${step}` }));
    const before = await names();
    const { signal, stderr } = spawnSync(
      process.execPath,
      ['--conditions=source', '--import', 'tsx', child, depot.repository, key, String(step)],
      { encoding: 'utf8' },
    );
    expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
    expect(await names()).toEqual(before);
    await publish(depot.repository, { keys: [depot.key] });
    expect(await names()).toContain(`p${step}`);
  }
});

test('a promotion killed before each write in turn', async () => {
  await depot.publish({ name: 'first' });
  await addPackages(depot.repository, await depot.pack({ name: 'next' }), { channel: 'beta' });
  await publish(depot.repository, { keys: [depot.key], channel: 'beta' });
  const key = join(depot.folder, 'publisher.key');
  writeFileSync(key, encodePrivateKey(depot.key));
  const root = depot.root();
  const names = async (): Promise<string[]> =>
    (await loadIndexes(root, { refresh: 'force' })).map(({ record }) => record.name);
  for (const step of [0, 1, 2, 3]) {
    expect(await names()).toEqual(['first']);
    const { signal, stderr } = spawnSync(
      process.execPath,
      ['--conditions=source', '--import', 'tsx', child, depot.repository, key, String(step), 'promote'],
      { encoding: 'utf8' },
    );
    expect({ step, signal, stderr }).toEqual({ step, signal: step < 3 ? 'SIGKILL' : null, stderr: '' });
  }
  expect(await names()).toEqual(['next']);
});

test('a collection killed before each removal in turn loses nothing that is named', async () => {
  await depot.publish({ name: 'kept' }, { name: 'gone' });
  await removePackages(depot.repository, ['gone']);
  await publish(depot.repository, { keys: [depot.key] });
  await collectGarbage(depot.repository, { retention: { keep: 1, days: 0 } });
  const key = join(depot.folder, 'publisher.key');
  writeFileSync(key, encodePrivateKey(depot.key));
  // The pool, then shard, package, snapshot and targets of old, then the list.
  for (let step = 0; ; step++) {
    const { signal, stderr } = spawnSync(
      process.execPath,
      ['--conditions=source', '--import', 'tsx', child, depot.repository, key, String(step), 'collect'],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect((await verifyRepository(depot.repository)).problems).toEqual([]);
    if (signal === null) break;
  }
  expect(existsSync(join(depot.repository, 'packages/x86_64/gone-1.0.0-r0.x86_64.icepkg'))).toBe(false);
  expect(existsSync(join(depot.repository, 'packages/x86_64/kept-1.0.0-r0.x86_64.icepkg'))).toBe(true);
});

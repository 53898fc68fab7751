/** What `repo status` tells an operator, and publishers that meet or are killed half way. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { addPackages, removePackages } from '#repo-server/add';
import { rotateRoot, sameKeys } from '#repo-server/init';
import { inspectChannel } from '#repo-server/inspect';
import { publish } from '#repo-server/publish';
import { encodePrivateKey, generateKey } from '#schema/keys';
import { icepkg } from '../cli/icepkg.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
beforeEach(async () => {
  depot = await makeDepot();
});
afterEach(() => depot.dispose());

const inspect = (now?: Date) => inspectChannel(depot.repository, 'stable', now);
const WELL = { toAdd: [], toRemove: [], problems: [] };
const metadata = (): string => join(depot.repository, 'channels/stable/metadata');

test('a published repository has nothing to tell', async () => {
  expect(inspect().problems).toEqual(['nothing was published yet: run icepkg repo publish']);
  await depot.publish({ name: 'zlib' });
  expect(inspect()).toEqual(WELL);
});

test('what the next publish brings and takes', async () => {
  await depot.publish({ name: 'zlib' });
  await addPackages(depot.repository, await depot.pack({ name: 'bash' }));
  await removePackages(depot.repository, ['zlib']);
  const [toAdd, toRemove] = [['bash-1.0.0-r0.x86_64.icepkg'], ['zlib-1.0.0-r0.x86_64.icepkg']];
  expect(inspect()).toEqual({ toAdd, toRemove, problems: [] });
  const copy = join(depot.folder, 'copy');
  cpSync(depot.repository, copy, { recursive: true });
  rmSync(join(copy, '.icepkg'), { recursive: true });
  expect(inspectChannel(copy, 'stable')).toEqual(WELL);
  const { status, stdout } = icepkg(['repo', 'status', depot.repository]);
  expect(status).toBe(0);
  expect(stdout).toContain('to publish: + bash-1.0.0-r0.x86_64.icepkg\n');
  expect(stdout).toContain('to publish: - zlib-1.0.0-r0.x86_64.icepkg\n');
});

test('problems name the thing and the way out', async () => {
  await depot.publish({ name: 'zlib' });
  expect(inspect(new Date(Date.now() + 25 * 86_400_000)).problems).toEqual([
    'timestamp expires in 5 days: run icepkg repo publish',
  ]);
  expect(inspect(new Date(Date.now() + 31 * 86_400_000)).problems).toEqual([
    expect.stringMatching(/^timestamp expired at .*: run icepkg repo publish$/),
  ]);
  rmSync(join(depot.repository, 'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg'));
  expect(inspect().problems).toEqual([
    expect.stringMatching(/^packages\/x86_64\/zlib-1\.0\.0-r0\.x86_64\.icepkg is missing: /),
  ]);
  const folder = join(depot.repository, 'targets/index/x86_64');
  for (const name of readdirSync(folder)) truncateSync(join(folder, name), 20);
  expect(inspect().problems).toEqual([
    expect.stringMatching(/^targets\/index\/x86_64\/.*: restore it from a mirror or a backup$/),
  ]);
});

test('keys that were rotated and not yet published with', async () => {
  await depot.publish({ name: 'zlib' });
  const next = generateKey();
  await rotateRoot(depot.repository, { roles: sameKeys([next.public]), keys: [depot.key, next] });
  expect(inspect().problems).toEqual(
    ['targets', 'snapshot', 'timestamp'].map(
      (role) => `${role} is not signed by the keys that root 2 names: run icepkg repo publish`,
    ),
  );
  await publish(depot.repository, { keys: [next] });
  expect(inspect()).toEqual(WELL);
});

test('a rotation killed after the numbered root, or before the other channels got it, is finished by others', async () => {
  await depot.publish({ name: 'zlib' });
  await publish(depot.repository, { keys: [depot.key], channel: 'beta' });
  const root = depot.root();
  const beta = join(depot.repository, 'channels/beta/metadata');
  const [second, third] = [generateKey(), generateKey()];
  await rotateRoot(depot.repository, { roles: sameKeys([second.public]), keys: [depot.key, second] });
  // As a kill would have left it: the old root.json, and nothing in the other channel.
  rmSync(join(metadata(), 'root.json'));
  rmSync(join(beta, '2.root.json'));
  for (const folder of [metadata(), beta]) {
    writeFileSync(join(folder, 'root.json'), readFileSync(join(folder, '1.root.json')));
  }
  await rotateRoot(depot.repository, { roles: sameKeys([third.public]), keys: [second, third] });
  expect(readdirSync(beta)).toEqual(expect.arrayContaining(['2.root.json', '3.root.json']));
  await publish(depot.repository, { keys: [third] });
  await publish(depot.repository, { keys: [third], channel: 'beta' });
  expect(inspect()).toEqual(WELL);
  expect(inspectChannel(depot.repository, 'beta')).toEqual(WELL);
  await expect(loadIndexes(root, { refresh: 'force' })).resolves.toHaveLength(1);
});

test('what killed writers left is removed by the next one', async () => {
  await depot.publish({ name: 'zlib' });
  const folders = ['.', 'packages/x86_64', 'targets/index/x86_64', 'channels/stable/metadata', '.icepkg'];
  const left = folders.map((folder) => join(depot.repository, folder, '.123.some.file.part'));
  for (const file of left) writeFileSync(file, 'half');
  await publish(depot.repository, { keys: [depot.key] });
  expect(left.filter((file) => existsSync(file))).toEqual([]);
});

test('publishers at once: each publishes whole or is told to wait', async () => {
  await addPackages(depot.repository, await depot.pack({ name: 'zlib' }));
  const key = join(depot.folder, 'publisher.key');
  writeFileSync(key, encodePrivateKey(depot.key));
  const child = fileURLToPath(new URL('./publish-child.ts', import.meta.url));
  const runs = Array.from({ length: 4 }, () => {
    const words = ['--conditions=source', '--import', 'tsx', child, depot.repository, key, '-1'];
    const running = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let problems = '';
    running.stderr.on('data', (part: Buffer) => (problems += part.toString()));
    return new Promise<[number | null, string]>((resolve) => {
      running.on('close', (status) => resolve([status, problems]));
    });
  });
  const ended = await Promise.all(runs);
  const published = ended.filter(([status]) => status === 0);
  expect(published.length).toBeGreaterThan(0);
  for (const [status, problems] of ended) {
    if (status !== 0) expect(problems).toContain('is being changed by another process');
  }
  expect(inspect()).toEqual(WELL);
  await expect(loadIndexes(depot.root(), { refresh: 'force' })).resolves.toHaveLength(1);
  expect(readdirSync(metadata())).toContain('1.targets.json');
});

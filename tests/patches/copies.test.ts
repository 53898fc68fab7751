/** Patches go where the packages go that they lead to: to mirrors, into bundles, and away. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeWorld } from '#engine/change-world';
import type { EngineContext } from '#engine/context';
import type { World } from '#engine/model';
import { installRequest, worldRequest } from '#engine/requests';
import { loadIndexes } from '#engine/client/load-indexes';

import { addPackages, removePackages } from '#repo-server/add';
import { exportBundle, importBundle } from '#repo-server/bundle';
import { collectGarbage } from '#repo-server/gc';
import { mirrorRepository, type Mirrored } from '#repo-server/mirror';
import { publish } from '#repo-server/publish';
import { serve } from '#repo-server/serve';
import { verifyRepository } from '#repo-server/verify';
import { encodePrivateKey } from '#schema/keys';
import { makeDepot, type DeclaredPackage, type Depot } from '../support/repository.ts';
import { randomText } from './support.ts';

let depot: Depot;
let copy: string;
const TEXT = randomText(0.0625, 1);
const tool = (release: number, name = 'tool'): DeclaredPackage => ({
  name,
  version: `1.0.0-r${release}`,
  files: { [`lib/${name}`]: `${TEXT}${release}` },
});
beforeEach(async () => {
  depot = await makeDepot();
  copy = join(depot.folder, 'copy');
  await depot.publish(tool(0), tool(0, 'other'));
  await depot.publish(tool(1));
});
afterEach(() => depot.dispose());

const patchesIn = (repository: string): string[] =>
  fs
    .readdirSync(join(repository, 'packages/x86_64'))
    .filter((name) => /patch/.test(name))
    .sort();
const mirror = (
  settings: { readonly patches?: false; readonly packages?: string[] } = {},
): Promise<Mirrored> =>
  mirrorRepository(copy, {
    settings: { format: 1, from: depot.repository, channels: ['stable'], ...settings },
    trustedRoot: fs.readFileSync(depot.trustedRoot),
  });
const problemsOf = async (repository: string): Promise<readonly string[]> =>
  (await verifyRepository(repository)).problems;

test('a mirror has the patches of what it has, and not a second time', async () => {
  await mirror();
  expect(patchesIn(copy)).toEqual(patchesIn(depot.repository));
  expect(patchesIn(copy)).toHaveLength(2);
  expect(await problemsOf(copy)).toEqual([]);
  await depot.publish(tool(1, 'other'));
  const { fetched } = await mirror();
  expect(patchesIn(copy)).toHaveLength(4);
  // A package, its patch and list, a shard, and three of metadata.
  expect(fetched).toBe(7);
});

test('a mirror that leaves patches out, or the package that they lead to, has none', async () => {
  await mirror({ patches: false });
  expect(patchesIn(copy)).toEqual([]);
  expect(await problemsOf(copy)).toEqual([]);
  fs.rmSync(copy, { recursive: true });
  await mirror({ packages: ['other'] });
  expect(patchesIn(copy)).toEqual([]);
});

test.each([
  [
    'a damaged patch',
    (path: string) => fs.appendFileSync(`${path}/${patchesIn(depot.repository)[0] ?? ''}`, 'x'),
  ],
  [
    'a damaged list',
    (path: string) => fs.writeFileSync(`${path}/${patchesIn(depot.repository)[1] ?? ''}`, '{'),
  ],
])(
  '%s upstream keeps no mirror from being whole, and is found by a look at the repository',
  async (_, damage) => {
    damage(join(depot.repository, 'packages/x86_64'));
    expect((await problemsOf(depot.repository)).join()).toMatch(/tool-1.0.0-r1.x86_64.icepkg.*patch/);
    expect((await mirror()).channels).toMatchObject([{ packages: 3 }]);
    expect(await problemsOf(copy)).toEqual([]);
    expect(patchesIn(copy)).toEqual([]);
  },
);

test('bundles carry patches, and later ones only new ones', async () => {
  const list = join(depot.folder, 'list');
  const bundle = join(depot.folder, 'bundle.tar');
  const trustedRoot = fs.readFileSync(depot.trustedRoot);
  await exportBundle(depot.repository, bundle, { channels: ['stable'], list });
  await importBundle(copy, bundle, { trustedRoot });
  expect(patchesIn(copy)).toEqual(patchesIn(depot.repository));
  await depot.publish(tool(2));
  await exportBundle(depot.repository, bundle, { channels: ['stable'], list });
  await importBundle(copy, bundle, {});
  expect(patchesIn(copy)).toEqual(patchesIn(depot.repository));
  const without = join(depot.folder, 'without.tar');
  await exportBundle(depot.repository, without, { channels: ['stable'], patches: false });
  await importBundle(join(depot.folder, 'other'), without, { trustedRoot });
  expect(patchesIn(join(depot.folder, 'other'))).toEqual([]);
});

test('a cache before the repository hands patches out, each fetched once, also once upstream is gone', async () => {
  const upstream = await serve(depot.repository, {});
  const cache = await serve(join(depot.folder, 'cache'), {
    cache: {
      from: upstream.url,
      trustedRoot: fs.readFileSync(depot.trustedRoot),
      channels: ['stable'],
      size: 2 ** 30,
      maxAgeMs: 0,
    },
  });
  try {
    const agreed = { dryRun: false, confirm: () => true } as const;
    const roots = [depot.root({ mirror: cache.url }), depot.root({ mirror: cache.url })];
    for (const root of roots)
      await changeWorld(root, { ...installRequest(['tool@=1.0.0-r1', 'other']), ...agreed });
    await depot.publish(tool(2), tool(1, 'other'));
    const [first, second] = roots;
    const upgrade = async (root: EngineContext | undefined) => {
      if (root === undefined) throw new Error('there is no root');
      const world = (of: World): World => ({ ...of, depends: ['tool', 'other'] });
      const { received } = await changeWorld(root, {
        ...worldRequest('all', world),
        upgrade: 'all',
        ...agreed,
      });
      return received;
    };
    expect(await upgrade(first)).toMatchObject({ patched: 2 });
    await upstream.close();
    expect(await upgrade(second)).toMatchObject({ patched: 2 });
    expect(patchesIn(join(depot.folder, 'cache'))).toHaveLength(4);
  } finally {
    await cache.close();
    await upstream.close();
  }
});

test('a cache asks once for a list of patches, whatever patches it is asked for', async () => {
  const asked: string[] = [];
  const upstream = await serve(depot.repository, { onRequest: ({ path }) => asked.push(path) });
  const cache = await serve(join(depot.folder, 'cache'), {
    cache: {
      from: upstream.url,
      trustedRoot: fs.readFileSync(depot.trustedRoot),
      channels: ['stable'],
      size: 2 ** 30,
    },
  });
  try {
    await depot.publish(tool(2));
    const name = 'packages/x86_64/tool-1.0.0-r1.x86_64.icepkg';
    const made = Array.from(
      { length: 10 },
      (_, digit) => `${cache.url}/${name}.${digit}00000000000000f.icepatch`,
    );
    const answers = await Promise.all(made.map(async (address) => (await fetch(address)).status));
    expect(new Set(answers)).toEqual(new Set([404]));
    expect(asked.filter((path) => path.includes(name))).toEqual([`/${name}.patches.json`]);
  } finally {
    await cache.close();
    await upstream.close();
  }
});

test('a collection takes the patches of packages that nothing names, and no others', async () => {
  await depot.publish(tool(2), tool(1, 'other'));
  const kept = patchesIn(depot.repository).filter((name) => !name.startsWith('tool-1.0.0-r2'));
  await removePackages(depot.repository, ['tool-1.0.0-r2']);
  await publish(depot.repository, { keys: [depot.key] });
  const collect = () =>
    collectGarbage(depot.repository, {
      graceHours: 0,
      retention: { keep: 1, days: 0 },
      now: new Date(Date.now() + 9e6),
    });
  await collect();
  await collect();
  expect(patchesIn(depot.repository)).toEqual(kept);
  expect(await problemsOf(depot.repository)).toEqual([]);
});

test('a publish that is killed before each write leaves no torn patch, and the next one makes what is missing', async () => {
  const key = join(depot.folder, 'publisher.key');
  fs.writeFileSync(key, encodePrivateKey(depot.key));
  const child = fileURLToPath(new URL('../repository/publish-child.ts', import.meta.url));
  const root = depot.root();
  const versions = async (): Promise<string[]> =>
    (await loadIndexes(root, { refresh: 'force' }))
      .map(({ record }) => `${record.name}-${record.version}`)
      .sort();
  for (const step of [0, 1, 2, 3, 4]) {
    await addPackages(depot.repository, await depot.pack(tool(step + 2)));
    const before = await versions();
    const { signal, stderr } = spawnSync(
      process.execPath,
      ['--conditions=source', '--import', 'tsx', child, depot.repository, key, String(step)],
      { encoding: 'utf8' },
    );
    expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
    expect(await versions()).toEqual(before);
    expect(await problemsOf(depot.repository)).toEqual([]);
    await publish(depot.repository, { keys: [depot.key] });
    const from = Math.min(3, step + 2);
    const made = patchesIn(depot.repository).filter((name) => name.startsWith(`tool-1.0.0-r${step + 2}.`));
    expect(made).toHaveLength(from + 1);
  }
  const left = fs
    .readdirSync(join(depot.repository, 'packages/x86_64'))
    .filter((name) => name.startsWith('.'));
  expect([left, await problemsOf(depot.repository)]).toEqual([[], []]);
});

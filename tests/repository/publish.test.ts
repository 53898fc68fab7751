/** What publishing leaves on disk, and that a client can always read it. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareShards, type PackageRecord } from '#schema/index-shard';
import { generateKey } from '#schema/keys';
import { loadIndexes } from '#engine/client/load-indexes';
import { decodeShard } from '#engine/client/shard';
import type { EngineContext } from '#engine/context';
import { addPackages, removePackages } from '#repo-server/add';
import { initRepository, rotateRoot, sameKeys } from '#repo-server/init';
import { withLock } from '#repo-server/lock';
import { publish } from '#repo-server/publish';
import { recordsOf } from '#repo-server/served';
import { cutShards, type ServedShard } from '#repo-server/shards';
import { repositoryStatus } from '#repo-server/status';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
beforeEach(async () => {
  depot = await makeDepot();
});
afterEach(() => depot.dispose());

const DAY = 86_400_000;
const offered = async (context: EngineContext): Promise<string[]> =>
  (await loadIndexes(context, { refresh: 'force' }))
    .map(({ record }) => `${record.name}-${record.version}`)
    .sort();
const listing = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('.icepkg'))
    .sort();

test('a client sees what was published and nothing that was only added', async () => {
  await depot.publish({ name: 'zlib' });
  const root = depot.root();
  expect(await offered(root)).toEqual(['zlib-1.0.0-r0']);
  await addPackages(depot.repository, await depot.pack({ name: 'bash' }));
  expect(await offered(root)).toEqual(['zlib-1.0.0-r0']);
  await publish(depot.repository, { keys: [depot.key] });
  expect(await offered(root)).toEqual(['bash-1.0.0-r0', 'zlib-1.0.0-r0']);
});

test('packages for every machine are in the index of each, others in their own', async () => {
  await depot.publish(
    { name: 'data', arch: 'noarch' },
    { name: 'here', arch: 'x86_64' },
    { name: 'there', arch: 'aarch64' },
  );
  expect(await offered(depot.root())).toEqual(['data-1.0.0-r0', 'here-1.0.0-r0']);
  expect(await offered(depot.root({ arch: 'aarch64' }))).toEqual(['data-1.0.0-r0', 'there-1.0.0-r0']);
});

test('adding again changes nothing; other content under the same version is refused, and nothing is added', async () => {
  const [first = ''] = await depot.pack({ name: 'zlib' });
  expect(await addPackages(depot.repository, [first])).toMatchObject([{ outcome: 'added' }]);
  const file = join(depot.repository, 'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg');
  const { ino } = statSync(file);
  expect(await addPackages(depot.repository, [first])).toMatchObject([{ outcome: 'known' }]);
  expect(statSync(file).ino).toBe(ino);
  const both = await depot.pack({ name: 'bash' }, { name: 'zlib', description: 'another' });
  await expect(addPackages(depot.repository, both)).rejects.toMatchObject({ code: 'usage' });
  expect(listing(depot.repository).filter((name) => name.includes('bash'))).toEqual([]);
  expect(readFileSync(file).equals(readFileSync(first))).toBe(true);
});

test('adding again mends a package that was damaged in the repository', async () => {
  const [first = ''] = await depot.pack({ name: 'zlib' });
  await addPackages(depot.repository, [first]);
  const file = join(depot.repository, 'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg');
  writeFileSync(file, Buffer.alloc(statSync(file).size));
  await addPackages(depot.repository, [first]);
  expect(readFileSync(file).equals(readFileSync(first))).toBe(true);
});

test('a damaged package is refused, and one that no trusted key signed where keys are named', async () => {
  const [file = ''] = await depot.pack({ name: 'zlib', files: { 'usr/lib/libz.so.1': 'x'.repeat(5000) } });
  const stranger = generateKey().public;
  await expect(addPackages(depot.repository, [file], { trustedKeys: [stranger] })).rejects.toMatchObject({
    code: 'package-unsigned',
  });
  await addPackages(depot.repository, [file], { trustedKeys: [stranger, depot.key.public] });
  const bytes = readFileSync(file);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  await expect(addPackages(depot.repository, [file])).rejects.toMatchObject({ code: 'package-corrupt' });
});

test('publishing without a change renews the timestamp alone, for which its key is enough', async () => {
  const [root, online] = [generateKey(), generateKey()];
  const repository = join(depot.folder, 'other');
  const roles = { ...sameKeys([root.public]), timestamp: { keys: [online.public], threshold: 1 } };
  await initRepository(repository, { name: 'other', roles, keys: [root] });
  await addPackages(repository, await depot.pack({ name: 'zlib' }));
  await expect(publish(repository, { keys: [root] })).rejects.toMatchObject({ code: 'usage' });
  expect(existsSync(join(repository, 'channels/stable/metadata/1.targets.json'))).toBe(false);
  await publish(repository, { keys: [root, online] });
  expect(await publish(repository, { keys: [online] })).toMatchObject({
    changed: false,
    versions: { targets: 1, snapshot: 1, timestamp: 2 },
    written: ['channels/stable/metadata/timestamp.json'],
  });
});

test('what nears its end is signed anew before it ends', async () => {
  await depot.publish({ name: 'zlib' });
  const later = new Date(Date.now() + 200 * DAY);
  expect(await publish(depot.repository, { keys: [depot.key], now: later })).toMatchObject({
    changed: false,
    versions: { targets: 2, snapshot: 2, timestamp: 2 },
  });
  expect(
    repositoryStatus(depot.repository, new Date(Date.now() + 300 * DAY)).channels[0]?.roles,
  ).toMatchObject([
    { role: 'root', expired: false },
    { role: 'targets', expired: false },
    { role: 'snapshot', expired: false },
    { role: 'timestamp', expired: true },
  ]);
  const muchLater = new Date(Date.now() + 1000 * DAY);
  await expect(publish(depot.repository, { keys: [depot.key], now: muchLater })).rejects.toMatchObject({
    code: 'trust-expired',
  });
});

test('stopped before any write, a client reads the old repository whole, and the next publish finishes', async () => {
  await depot.publish({ name: 'zlib' });
  const root = depot.root();
  await offered(root);
  for (let step = 0; ; step++) {
    await addPackages(depot.repository, await depot.pack({ name: `p${step}` }));
    const before = await offered(root);
    let writes = 0;
    const onWrite = (): void => {
      if (writes++ === step) throw new Error('stopped');
    };
    const stopped = await publish(depot.repository, { keys: [depot.key], onWrite }).then(
      () => false,
      () => true,
    );
    if (!stopped) {
      // A shard for this machine, the snapshot's own file, targets, snapshot, timestamp.
      expect(step).toBe(5);
      return;
    }
    expect(await offered(root)).toEqual(before);
    expect(await offered(depot.root())).toEqual(before);
    await publish(depot.repository, { keys: [depot.key] });
    expect(await offered(root)).toContain(`p${step}-1.0.0-r0`);
  }
});

test('two publishers at once: one is told so, and after it the other may', async () => {
  await withLock(depot.repository, async () => {
    await expect(publish(depot.repository, { keys: [depot.key] })).rejects.toMatchObject({
      code: 'root-locked',
    });
    await expect(addPackages(depot.repository, [])).rejects.toMatchObject({ code: 'root-locked' });
  });
  expect(await publish(depot.repository, { keys: [depot.key] })).toMatchObject({ packages: 0 });
});

test('a package taken out is offered no more; its file stays for older indexes', async () => {
  await depot.publish({ name: 'zlib' }, { name: 'bash' });
  await removePackages(depot.repository, ['zlib']);
  await publish(depot.repository, { keys: [depot.key] });
  expect(await offered(depot.root())).toEqual(['bash-1.0.0-r0']);
  expect(existsSync(join(depot.repository, 'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg'))).toBe(true);
  await expect(removePackages(depot.repository, ['zlib'])).rejects.toMatchObject({ code: 'not-found' });
});

test('a package that is gone from the folder is not published', async () => {
  await addPackages(depot.repository, await depot.pack({ name: 'zlib' }));
  rmSync(join(depot.repository, 'packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg'));
  await expect(publish(depot.repository, { keys: [depot.key] })).rejects.toMatchObject({ code: 'not-found' });
});

test('channels share packages and keys, and are published apart', async () => {
  const [file = ''] = await depot.pack({ name: 'zlib' });
  await addPackages(depot.repository, [file], { channel: 'beta' });
  await publish(depot.repository, { keys: [depot.key], channel: 'beta' });
  expect(repositoryStatus(depot.repository).channels).toMatchObject([
    { channel: 'beta', packages: [{ name: 'zlib' }] },
    { channel: 'stable', packages: [] },
  ]);
  await expect(publish(depot.repository, { keys: [depot.key], channel: '../x' })).rejects.toMatchObject({
    code: 'usage',
  });
});

test('clients follow a change of keys, and the old key signs nothing any more', async () => {
  await depot.publish({ name: 'zlib' });
  const root = depot.root();
  await offered(root);
  const next = generateKey();
  const rotation = { roles: sameKeys([next.public]) };
  await expect(rotateRoot(depot.repository, { ...rotation, keys: [next] })).rejects.toMatchObject({
    code: 'usage',
  });
  expect(await rotateRoot(depot.repository, { ...rotation, keys: [depot.key, next] })).toEqual({
    version: 2,
  });
  await expect(publish(depot.repository, { keys: [depot.key] })).rejects.toMatchObject({ code: 'usage' });
  await publish(depot.repository, { keys: [next] });
  expect(await offered(root)).toEqual(['zlib-1.0.0-r0']);
});

test('a repository is never made twice, nor with a threshold that nobody can reach', async () => {
  const options = { name: 'main', keys: [depot.key] };
  await expect(
    initRepository(depot.repository, { ...options, roles: sameKeys([depot.key.public]) }),
  ).rejects.toMatchObject({ code: 'usage' });
  await expect(
    initRepository(join(depot.folder, 'new'), {
      ...options,
      roles: sameKeys([depot.key.public, depot.key.public], 2),
    }),
  ).rejects.toMatchObject({ code: 'usage' });
  expect(existsSync(join(depot.folder, 'new/repository.json'))).toBe(false);
});

test('a threshold of two needs two different keys', async () => {
  const [a, b] = [generateKey(), generateKey()];
  const repository = join(depot.folder, 'pair');
  await initRepository(repository, { name: 'pair', roles: sameKeys([a.public, b.public], 2), keys: [a, b] });
  await expect(publish(repository, { keys: [a, a] })).rejects.toMatchObject({ code: 'usage' });
  await publish(repository, { keys: [b, a] });
});

const record = (index: number): PackageRecord => ({
  name: `package-${index}`,
  version: '1.0.0-r0',
  arch: 'x86_64',
  installedSize: index,
  fileCount: 0,
  manifest: { size: 1, sha256: '0'.repeat(64) },
  package: { path: `packages/x86_64/${index}.icepkg`, size: 1, sha256: '0'.repeat(64), headerSize: 1 },
});

/** An index by the numbers of its packages, and what it takes from one state to the next. */
class Index {
  shards: ServedShard[] = [];
  readonly #held = new Set<number>();

  /** @returns how many shards are new or were written anew */
  async publish({
    add = [],
    remove = [],
  }: {
    add?: readonly number[];
    remove?: readonly number[];
  }): Promise<number> {
    for (const one of remove) this.#held.delete(one);
    for (const one of add) this.#held.add(one);
    const records = new Map([...this.#held].map(record).map((of) => [of.package.path, of]));
    const cut = await cutShards('x86_64', this.shards, records);
    this.shards = cut.map(({ path, target, bytes }) => {
      const before = this.shards.find((shard) => shard.target === target);
      return { path, target, content: before?.content ?? decodeShard(bytes ?? new Uint8Array(0), path) };
    });
    expect(this.paths()).toEqual(this.paths().toSorted(compareShards));
    expect(new Set(recordsOf(this.shards).keys())).toEqual(new Set(records.keys()));
    return cut.filter(({ bytes }) => bytes !== undefined).length;
  }

  paths = (): string[] => this.shards.map(({ path }) => path);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

test('what is published goes into the last shard until that is full; the others stay as they are', async () => {
  const index = new Index();
  expect(await index.publish({ add: range(0, 1000) })).toBe(4);
  expect(await index.publish({ add: range(1000, 1020) })).toBe(1);
  expect(index.paths()).toHaveLength(4);
  expect(await index.publish({ add: range(1020, 1050) })).toBe(1);
  expect(index.paths()).toHaveLength(5);
  expect(await index.publish({})).toBe(0);
  expect(await index.publish({ add: [1050], remove: [3, 500] })).toBe(1);
  expect(await index.publish({ add: [3] })).toBe(1);
});

test('shards that mostly say what is not true any more are written anew', async () => {
  const index = new Index();
  await index.publish({ add: range(0, 1024) });
  for (let at = 0; at < 1000; at += 50) await index.publish({ remove: range(at, at + 50) });
  expect(index.shards.reduce((sum, { content }) => sum + content.packages.length, 0)).toBeLessThan(200);
  expect(index.shards.length).toBeLessThan(3);
  await index.publish({ remove: range(1000, 1024) });
  expect(index.shards).toEqual([]);
});

test('whatever is published, the shards together hold it', async () => {
  const changes = fc.array(
    fc.record({
      add: fc.array(fc.nat(700), { maxLength: 300 }),
      remove: fc.array(fc.nat(700), { maxLength: 300 }),
    }),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(changes, async (all) => {
      const index = new Index();
      for (const change of all) await index.publish(change);
    }),
    { numRuns: 15 },
  );
});

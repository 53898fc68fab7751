/** The catalogue of an index: what is found by it is what all the shards together say, and a solver needs no more. */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Catalogue } from '#engine/client/catalogue';
import { loadIndexes, withIndex } from '#engine/client/load-indexes';
import { PackageIndex, reachable } from '#engine/client/package-index';
import { locateRecords, type LocatedShard } from '#engine/client/shard';
import type { EngineContext } from '#engine/context';
import type { Candidate } from '#engine/model';
import { search } from '#engine/queries/available';
import { solve } from '#engine/solver/solve';
import { canonicalJson } from '#schema/canonical-json';
import { overlay, type IndexShard } from '#schema/index-shard';
import { removePackages } from '#repo-server/add';
import { publish } from '#repo-server/publish';
import { pkg } from '../solver/support.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
beforeEach(async () => {
  depot = await makeDepot();
});
afterEach(() => depot.dispose());

const cacheOf = ({ root }: EngineContext): string => join(root, 'var/cache/icepkg/index/main');
const force = { refresh: 'force' } as const;
const namesOf = (candidates: readonly Candidate[]): string[] =>
  candidates.map(({ record }) => `${record.name}-${record.version}`).sort();
const named = (context: EngineContext, ...names: string[]): Promise<string[]> =>
  withIndex(context, force, (index) => namesOf(index.named(names)));

test('the catalogue follows what is published and taken away', async () => {
  const root = depot.root();
  await depot.publish({ name: 'zlib', description: 'Compression' }, { name: 'bash', provides: ['cmd:sh'] });
  expect(await named(root, 'zlib', 'cmd:sh', 'nothing')).toEqual(['zlib-1.0.0-r0']);
  await depot.publish({ name: 'zlib', version: '2.0.0-r0', description: 'Newer' });
  expect(await named(root, 'zlib')).toEqual(['zlib-1.0.0-r0', 'zlib-2.0.0-r0']);
  expect(await search(root, ['COMPRESS'])).toMatchObject([{ version: '1.0.0-r0' }]);
  await removePackages(depot.repository, ['zlib-1.0.0-r0', 'bash']);
  await publish(depot.repository, { keys: [depot.key] });
  expect(await named(root, 'zlib', 'bash')).toEqual(['zlib-2.0.0-r0']);
  expect(await search(root, ['compress'])).toEqual([]);
  await depot.publish({ name: 'bash', provides: ['cmd:sh'] });
  expect(namesOf(await loadIndexes(root, force))).toEqual(['bash-1.0.0-r0', 'zlib-2.0.0-r0']);
});

test('a catalogue or a shard that is damaged is made or fetched again', async () => {
  const root = depot.root();
  await depot.publish({ name: 'zlib' });
  await named(root, 'zlib');
  const catalogue = join(cacheOf(root), 'catalogue.sqlite');
  for (const damage of [
    () => writeFileSync(catalogue, 'nothing that SQLite knows'.repeat(100)),
    () => rmSync(catalogue, { force: true }),
    () => {
      for (const name of readdirSync(cacheOf(root)))
        if (name.endsWith('.zst')) writeFileSync(join(cacheOf(root), name), 'damaged');
    },
  ]) {
    damage();
    expect(await named(root, 'zlib')).toEqual(['zlib-1.0.0-r0']);
  }
  expect(await named(root, 'zlib')).toEqual(['zlib-1.0.0-r0']);
  expect(existsSync(catalogue)).toBe(true);
});

test('who looks things up sees one state, whatever another process makes of the catalogue', () => {
  const file = join(depot.folder, 'catalogue.sqlite');
  const open = (sha256: string, name: string): Catalogue =>
    Catalogue.open(file, [{ path: 's', sha256 }], () =>
      locateRecords(canonicalJson({ format: 1, packages: [pkg(`${name}-1.0.0-r0`)] }), 's'),
    );
  const before = open('1', 'old');
  const after = open('2', 'new');
  expect(before.names()).toEqual(['old']);
  expect(after.names()).toEqual(['new']);
  before.close();
  after.close();
  const last = open('3', 'last');
  expect(last.names()).toEqual(['last']);
  last.close();
});

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const text = fc.constantFrom(...NAMES, 'v', 'w', 'a | v', 'b@>=2', '!c', '!w', 'so:v');
const few = (most: number) => fc.array(text, { maxLength: most });
const packages = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom(...NAMES),
    major: fc.constantFrom(1, 2),
    depends: few(2),
    recommends: few(1),
    replaces: few(1),
    installIf: fc.oneof({ weight: 4, arbitrary: fc.constant<string[]>([]) }, few(2)),
    provides: fc.array(fc.constantFrom('v', 'w', 'so:v', 'v@=1.0.0'), { maxLength: 1 }),
  }),
  { maxLength: 14, selector: ({ name, major }) => `${name} ${major}` },
);

const indexOf = (shards: readonly IndexShard[]): PackageIndex => {
  const read = (path: string): Uint8Array =>
    canonicalJson(shards[Number(path)] ?? { format: 1, packages: [] });
  const locate = ({ path }: { readonly path: string }): LocatedShard => locateRecords(read(path), path);
  const all = shards.map((_, at) => ({ path: String(at), sha256: String(at) }));
  return new PackageIndex([{ repository: 'r', read, catalogue: Catalogue.open(':memory:', all, locate) }]);
};

test('a solver finds among what is reachable what it finds among all', () => {
  fc.assert(
    fc.property(packages, few(3), fc.array(fc.nat(13), { maxLength: 3 }), (all, wanted, there) => {
      const records = all.map(({ name, major, ...fields }) => pkg(`${name}-${major}.0.0-r0`, fields));
      const index = indexOf([{ format: 1, packages: records }]);
      const world = { depends: wanted, holds: [], pins: {} };
      const byName = new Map(there.flatMap((at) => records[at] ?? []).map((record) => [record.name, record]));
      const installed = [...byName.values()].map((record) => ({
        record,
        repository: 'r',
        transaction: 1,
        requested: true,
      }));
      for (const upgrade of ['none', 'all'] as const) {
        const request = { arch: 'x86_64', world, installed, upgrade, keepOrphans: true, recommends: true };
        const whole = solve({ ...request, candidates: index.all() });
        const part = solve({ ...request, candidates: reachable(index, { world, installed }) });
        if (whole.solved) expect(part).toEqual(whole);
        else expect(part.solved).toBe(false);
      }
      index.close();
    }),
    { numRuns: 400 },
  );
});

test('what shards say of a path is what the last one says', () => {
  const shard = fc.record({
    packages: fc.uniqueArray(fc.constantFrom(...NAMES)),
    removed: fc.uniqueArray(fc.constantFrom(...NAMES)),
  });
  fc.assert(
    fc.property(fc.array(shard, { maxLength: 9 }), (drafts) => {
      const shards = drafts.map((draft): IndexShard => {
        const removed = draft.removed.filter((name) => !draft.packages.includes(name));
        const paths = removed.map((name) => `packages/${name}-1.0.0-r0`);
        return { format: 1, packages: draft.packages.map((name) => pkg(`${name}-1.0.0-r0`)), removed: paths };
      });
      const index = indexOf(shards);
      const expected = [...overlay(shards).values()].map(({ name, version }) => `${name}-${version}`).sort();
      expect(namesOf(index.all())).toEqual(expected);
      expect(index.size).toBe(expected.length);
      expect(namesOf(index.named(NAMES))).toEqual(expected);
      index.close();
    }),
    { numRuns: 100 },
  );
});

test('only what was checked is read: a second list of packages, or white space, is refused', () => {
  const text = Buffer.from(canonicalJson({ format: 1, packages: [pkg('a-1.0.0-r0')] })).toString();
  const hidden = JSON.stringify([pkg('b-1.0.0-r0')]);
  for (const other of [
    text.replace('"packages":', '"packages": '),
    text.replace(/\}$/, `,"\\u0070ackages":${hidden}}`),
    `{"packages":${hidden},${text.slice(1)}`,
  ]) {
    expect(() => locateRecords(Buffer.from(other), 'the shard')).toThrow('the shard: not canonical JSON');
  }
});

/**
 * Random trees of files, directories, symlinks and configuration files in two versions of two packages: whatever a
 * path becomes, the disk is as the packages say, a failure changes nothing, a rollback brings everything back, and
 * what is removed leaves nothing behind. A counterexample is a scenario that can be put into `scenarios/`.
 */
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { IcepkgError } from '#schema/error';
import { openBench, type Result } from './carry-out.ts';
import { readScenarios, type Scenario } from './read-scenario.ts';

const bench = openBench();
afterAll(() => bench.dispose());

const NAMES = ['x', 'y', 'z'] as const;
const TARGETS = ['y', 'z', 'a/x', 'a/y', '../b', '../a/z', '/b/x', 'nowhere'] as const;

interface Tree {
  readonly x?: Tree | string;
  readonly y?: Tree | string;
  readonly z?: Tree | string;
}

/** What stands after the path in a scenario, or what is in the directory. */
const { node } = fc.letrec<{ tree: Tree; node: Tree | string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 2 },
    { weight: 3, arbitrary: fc.constantFrom('', ' (config)', '=same', '=same (config)') },
    { weight: 1, arbitrary: fc.constantFrom(...TARGETS).map((target) => ` -> ${target}`) },
    { weight: 3, arbitrary: tie('tree') },
  ),
  tree: fc.record({ x: tie('node'), y: tie('node'), z: tie('node') }, { requiredKeys: [] }),
}));

function textOf(path: string, at: Tree | string | undefined): string[] {
  if (at === undefined) return [];
  if (typeof at === 'string') return [`${path}${at}`];
  const below = NAMES.flatMap((name) => textOf(`${path}/${name}`, at[name]));
  return below.length === 0 ? [`${path}/`] : below;
}

const packageOf = (head: string, files: readonly string[]): string =>
  files.length === 0 ? head : `${head} has ${files.join(', ')}`;

/** At the top `a` and `b` belong to the packages of these names, `c` to whichever it is. */
const given = fc
  .record({
    a: fc.tuple(node, node),
    b: fc.tuple(node, node),
    c: fc.option(fc.tuple(node, node)),
    owners: fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1)),
    edits: fc.array(fc.nat(), { maxLength: 3 }),
    whim: fc.option(
      fc.tuple(fc.nat(), fc.constantFrom('-', '=mine', '/', '/x=mine', ' -> nowhere', ' -> ../b')),
    ),
  })
  .map(({ a, b, c, owners, edits, whim }) => {
    const lists = [0, 1].map((version) => {
      const trees = [textOf('a', a[version]), textOf('b', b[version])];
      trees[owners[version] ?? 0]?.push(...textOf('c', c?.[version]));
      return trees;
    });
    const config = (lists[0] ?? []).flat().filter((text) => text.endsWith('(config)'));
    const edited = new Set(edits.map((number) => config[number % config.length]?.split(/[ =]/)[0]));
    const all = (lists[0] ?? []).flat().map((text) => text.split(/[ =]|\/$/)[0] ?? '');
    return [
      '== found',
      `main: ${lists[1]?.map((files, index) => packageOf(`${'ab'[index]} 2`, files)).join('; ')}`,
      `installed: ${lists[0]?.map((files, index) => packageOf(`${'ab'[index]} 1`, files)).join('; ')}`,
      ...[...edited].filter((path) => path !== undefined).map((path) => `disk: ${path}=mine`),
      ...(whim === null ? [] : [`disk: ${whimOf(all[whim[0] % all.length] ?? '', whim[1])}`]),
    ].join('\n');
  });

/** What an operator may do to any path. */
const whimOf = (path: string, what: string): string =>
  what === '-' ? `-${path}` : `-${path}, ${path}${what}`;

const RUNS = Number(process.env['ICEPKG_TEST_RUNS'] ?? 40);

const COMMANDS = ['$ upgrade', '$ upgrade b', '$ remove a', '$ upgrade\n$ remove a b'];

test('every change of kinds', async () => {
  await fc.assert(
    fc.asyncProperty(given, fc.constantFrom(...COMMANDS), async (text, command) => {
      const [scenario] = readScenarios(`${text}\n${command}\n`);
      const result = scenario === undefined ? undefined : await tryOut(scenario);
      if (result === undefined) return;
      const { before, after, error, wrong, undone } = result;
      if (error === undefined) {
        expect(wrong).toEqual([]);
        if (undone !== undefined) expect(undone).toEqual(before);
        if (command.endsWith('remove a b') && !text.includes('disk: -'))
          expect(after.files.filter((path) => !isSaved(path))).toEqual([]);
      } else {
        expect(['file-conflict', 'path-unsafe']).toContain(error.code);
        expect(after).toEqual(before);
      }
    }),
    { numRuns: RUNS },
  );
});

test('every change of kinds, killed at any step', async () => {
  await fc.assert(
    fc.asyncProperty(given, fc.constantFrom(...COMMANDS), fc.integer({ min: 1, max: 60 }), async (...all) => {
      const [text, command, stopAt] = all;
      const [scenario] = readScenarios(`${text}\n${command}\n`);
      const whole = scenario === undefined ? undefined : await tryOut(scenario);
      if (scenario === undefined || whole === undefined || whole.error !== undefined) return;
      const { before, after, undone } = await bench.carryOut(scenario, stopAt);
      expect([whole.before, whole.after]).toContainEqual(after);
      if (undone !== undefined) expect(undone).toEqual(before);
    }),
    { numRuns: RUNS / 2 },
  );
});

const isSaved = (path: string): boolean => /icepkg-(?:save|new)/.test(path);

/** Where the first installation fails already there is nothing to look at. */
async function tryOut(scenario: Scenario): Promise<Result | undefined> {
  try {
    return await bench.carryOut(scenario);
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

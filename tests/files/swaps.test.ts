/**
 * Random trees of files, directories, symlinks and configuration files in two versions of two packages: whatever a
 * path becomes, the disk is as the packages say, a failure changes nothing, a rollback brings everything back, and
 * what is removed leaves nothing behind. A counterexample is a scenario that can be put into `scenarios/`.
 */
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { IcepkgError } from '#schema/error';
import { openBench, type Result } from './carry-out.ts';
import { readScenarios } from './read-scenario.ts';

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

const COMMANDS = ['$ upgrade', '$ upgrade b', '$ remove a', '$ upgrade\n$ remove a b', '$ rollback'];

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
    command: fc.constantFrom(...COMMANDS),
  })
  .map(({ a, b, c, owners, edits, whim, command }) => {
    const [old = [], now = []] = [0, 1].map((version) => {
      const trees = [textOf('a', a[version]), textOf('b', b[version])];
      trees[owners[version] ?? 0]?.push(...textOf('c', c?.[version]));
      return trees;
    });
    const config = old.flat().filter((text) => text.endsWith('(config)'));
    const edited = new Set(edits.map((number) => config[number % config.length]?.split(/[ =]/)[0]));
    return [
      '== found',
      `main: ${now.map((files, index) => packageOf(`${'ab'[index]} 2`, files)).join('; ')}`,
      `installed: ${old.map((files, index) => packageOf(`${'ab'[index]} 1`, files)).join('; ')}`,
      ...[...edited].filter((path) => path !== undefined).map((path) => `disk: ${path}=mine`),
      ...(command === '$ rollback' ? ['$ upgrade', ...whimOf(now, whim)] : whimOf(old, whim)),
      command,
    ].join('\n');
  });

/** What an operator may do to any path. */
function whimOf(trees: readonly string[][], whim: readonly [number, string] | null): string[] {
  if (whim === null) return [];
  const paths = trees.flat().map((text) => text.split(/[ =]|\/$/)[0] ?? '');
  const [number, what] = whim;
  const path = paths[number % paths.length] ?? '';
  return [`disk: -${path}${what === '-' ? '' : `, ${path}${what}`}`];
}

/** Other seeds find other things: `ICEPKG_TEST_SEED=2 ICEPKG_TEST_RUNS=1000`. */
const SEED = Number(process.env['ICEPKG_TEST_SEED'] ?? 1);
const RUNS = Number(process.env['ICEPKG_TEST_RUNS'] ?? 40);

test('every change of kinds', async () => {
  await fc.assert(
    fc.asyncProperty(given, async (text) => {
      const result = await tryOut(text);
      if (result === undefined) return;
      const { before, after, error, wrong, undone } = result;
      if (error === undefined) {
        expect(wrong).toEqual([]);
        if (undone !== undefined) expect(undone).toEqual(before);
        if (text.endsWith('remove a b') && !text.includes('disk: -'))
          expect(after.files.filter((path) => !isSaved(path))).toEqual([]);
      } else {
        expect(['file-conflict', 'path-unsafe']).toContain(error.code);
        expect(after).toEqual(before);
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
});

test('every change of kinds, killed at any step', async () => {
  await fc.assert(
    fc.asyncProperty(given, fc.integer({ min: 1, max: 60 }), async (text, stopAt) => {
      const whole = await tryOut(text);
      if (whole === undefined || whole.error !== undefined) return;
      const { before, after, undone } = (await tryOut(text, stopAt)) ?? whole;
      expect([whole.before, whole.after]).toContainEqual(after);
      if (undone !== undefined) expect(undone).toEqual(before);
    }),
    { numRuns: RUNS / 2, seed: SEED },
  );
});

const isSaved = (path: string): boolean => /icepkg-(?:save|new)/.test(path);

/** Where the first installation, or what goes before the last command, fails already there is nothing to look at. */
async function tryOut(text: string, stopAt?: number): Promise<Result | undefined> {
  const [scenario] = readScenarios(`${text}\n`);
  try {
    return scenario === undefined ? undefined : await bench.carryOut(scenario, stopAt);
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

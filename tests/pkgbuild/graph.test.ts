/** Many recipes: failures, the same output again, tests of packages, kept trees, limits. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { IcepkgError } from '#schema/error';
import { buildEverything, buildRecipes, type BuildRequest } from '#pkgbuild/build';
import { DEFAULT_LIMITS } from '#pkgbuild/limits';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-graph-test-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function recipe(name: string, body: string): void {
  const home = path.join(folder, 'recipes', name);
  fs.mkdirSync(home, { recursive: true });
  const head = `name: ${name}\nversion: "1.0.0"\nlicense: MIT\narch: noarch\n`;
  fs.writeFileSync(path.join(home, 'recipe.yaml'), `${head}${body}`);
}

const request = (recipes: readonly string[], more: Partial<BuildRequest> = {}): BuildRequest =>
  buildRequest(folder, recipes, more);
const FILE =
  'install: mkdir -p "$DESTDIR/usr/share"; echo same >"$DESTDIR/usr/share/$(basename "$PWD")$VERSION"\n';

test('after a failure everything is built that does not need it', async () => {
  recipe('good', FILE);
  recipe('bad', 'install: exit 1\n');
  recipe('above', `buildDepends: [bad]\n${FILE}`);
  recipe('beside', `buildDepends: [good]\n${FILE}`);
  const outcomes = await buildEverything(request(['above', 'beside'], { parallel: 2 }));
  expect(outcomes.map((one) => [one.state, 'built' in one ? one.built.recipe : one.recipe])).toEqual([
    ['failed', 'bad'],
    ['blocked', 'above'],
    ['built', 'good'],
    ['built', 'beside'],
  ]);
});

test('what depends on a build that gives the same bytes again is not built again', async () => {
  recipe('low', FILE);
  recipe('top', `buildDepends: [low]\n${FILE}`);
  await buildRecipes(request(['top']));
  recipe('low', `prepare: echo more\n${FILE}`);
  expect((await buildRecipes(request(['top']))).map((one) => one.cached)).toEqual([false, true]);
});

test('a command that the recipe does not declare is not found, and one that is missing is named before', async () => {
  const commands = path.join(folder, 'commands');
  recipe('calls', 'install: no-such-command-at-all\n');
  await expect(buildRecipes(request(['calls']))).rejects.toMatchObject({ code: 'build-failed' });
  expect(fs.existsSync(commands)).toBe(false);
  if (spawnSync('dpkg-query', ['--version']).status !== 0) return;
  recipe('needs', `hostDepends: [no-such-package-at-all]\n${FILE}`);
  await expect(buildRecipes(request(['needs']))).rejects.toMatchObject({
    code: 'tool-missing',
    message: 'not installed on this machine: no-such-package-at-all for needs',
    hint: 'On Debian: apt-get install no-such-package-at-all',
  });
});

test('packages are tested in a root of their own, again only when something changed', async () => {
  const body = (script: string): string => `${FILE}test: |\n  ${script}\n`;
  recipe('data', body('test "$(cat "$ROOT/usr/share/src1.0.0")" = same; ! test -e "$ROOT/usr/lib/gcc"'));
  const phases: string[] = [];
  const more = { onProgress: ({ phase }: { phase: string }) => void phases.push(phase) };
  await buildRecipes(request(['data'], more));
  expect(phases).toContain('test');
  phases.length = 0;
  expect(await buildRecipes(request(['data'], more))).toMatchObject([{ cached: true }]);
  expect(phases).toEqual(['cached']);
  recipe('data', body('run missing-program'));
  await expect(buildRecipes(request(['data'], more))).rejects.toMatchObject({
    code: 'build-failed',
    message: 'data for noarch: the test of data ended with status 127',
    hint: expect.stringContaining('there is no program missing-program in the root') as string,
  });
});

test('a package that needs what nobody provides cannot be tested', async () => {
  recipe('lonely', `${FILE}depends: [nothing-provides-this]\ntest: 'true'\n`);
  await expect(buildRecipes(request(['lonely']))).rejects.toMatchObject({
    code: 'build-failed',
    hint: 'Name the recipes of what it needs to run, and does not need to build, under testDepends',
  });
});

test('the tree of a failed build is kept, and can be gone on with', async () => {
  recipe('slow', `build: date +%s%N >begun; test -e fixed\n${FILE}`);
  await expect(buildRecipes(request(['slow']))).rejects.toThrow('build ended with status 1');
  const kept = path.join(folder, 'cache/failed/slow.noarch/build/src');
  expect(fs.existsSync(path.join(kept, 'begun'))).toBe(true);
  fs.writeFileSync(path.join(kept, 'fixed'), '');
  expect(await buildRecipes(request(['slow'], { resume: true }))).toMatchObject([{ cached: false }]);
  expect(fs.existsSync(kept)).toBe(false);
  await expect(buildRecipes(request(['slow']))).rejects.toThrow('build ended with status 1');
});

test.each([
  [
    'processes that double',
    { processes: 30 },
    'f() { f | f & }; while :; do f; done',
    'it started more than 30 processes',
  ],
  [
    'processes that wait',
    { processes: 30 },
    'i=0; while [ $i -lt 60 ]; do sleep 60 & i=$((i + 1)); done; wait',
    'it started more than 30 processes',
  ],
  ['time', { seconds: 1 }, 'sleep 60', 'it took longer than 1 seconds'],
  ['the last of the disk', { freeBytes: 2 ** 60 }, 'sleep 60', 'it has filled the disk'],
  [
    'more of the disk than it may',
    { diskBytes: 2 ** 25 },
    'while :; do head -c 4000000 /dev/zero >>large; done',
    'it wrote more than 0.03125 GiB',
  ],
])('a build that takes %s is stopped, and nothing of it stays', async (_, limits, script, why) => {
  recipe('greedy', `build: |\n  ${script}; sleep 60\n`);
  const all = { ...DEFAULT_LIMITS, ...limits };
  const built = buildRecipes(request(['greedy'], { limits: all }));
  await expect(built).rejects.toThrow(`greedy 1.0.0-r0 for noarch: build was stopped: ${why}`);
  const kept = fs.existsSync(path.join(folder, 'cache/failed/greedy.noarch'));
  expect(kept).toBe('seconds' in limits);
  expect(
    fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(`icepkg-build-${process.pid}-`)),
  ).toEqual([]);
});

test('a test of a package that takes too much is stopped', async () => {
  recipe('greedy', `${FILE}test: sleep 60\n`);
  const limits = { ...DEFAULT_LIMITS, seconds: 1 };
  await expect(buildRecipes(request(['greedy'], { limits }))).rejects.toThrow(
    'greedy for noarch: the test of greedy was stopped: it took longer than 1 seconds',
  );
});

test.each([
  ['echo "make: ./tool: cannot execute: required file not found"; false', 'start it by "run ./tool"'],
  ['cp "$RECIPE/extra.conf" .', 'add "- path: extra.conf" under sources'],
  ['echo planted >/usr/bin/planted', 'Steps write below /build and /tmp only: install into $DESTDIR'],
  [
    'getent hosts example.org || echo "fetch: Could not resolve host: example.org"; false',
    'Steps have no network',
  ],
])('a step that does %s is told what it may do', async (script, said) => {
  recipe('bold', `build: |\n  ${script}\n`);
  await expect(buildRecipes(request(['bold']))).rejects.toMatchObject({
    message: expect.stringContaining('build ended with status') as string,
    hint: expect.stringContaining(said) as string,
  });
  expect(fs.existsSync('/usr/bin/planted')).toBe(false);
});

test.runIf(fs.existsSync('/usr/bin/ccache'))(
  'ccache keeps what a recipe compiled, for itself alone',
  async () => {
    const compile = (release: number): string =>
      `release: ${release}\nbuild: |\n  echo 'int one = 1;' >one.c\n  "$BARE_CROSS"gcc -c one.c\n${FILE}`;
    const hits = (): string => {
      const env = { ...process.env, CCACHE_DIR: path.join(folder, 'cache/ccache/compiled.x86_64') };
      const { stdout } = spawnSync('ccache', ['--print-stats'], { encoding: 'utf8', env });
      return /^direct_cache_hit\s+(\d+)/m.exec(stdout)?.[1] ?? stdout;
    };
    const key = async (release: number, more: Partial<BuildRequest> = {}): Promise<string | undefined> => {
      recipe('compiled', compile(release));
      return (await buildRecipes(request(['compiled'], more)))[0]?.key;
    };
    await key(0);
    expect(hits()).toBe('0');
    await key(1);
    expect(hits()).toBe('1');
    await key(2, { checkReproducible: true });
    expect(hits()).toBe('1');
  },
);

test('the first difference of two builds is shown, by diffoscope where it is installed', async () => {
  recipe(
    'fickle',
    'install: mkdir -p "$DESTDIR/usr/share"; (echo abc; cat /proc/sys/kernel/random/uuid) >"$DESTDIR/usr/share/a"\n',
  );
  const said = async (): Promise<string> => {
    const error = await buildRecipes(request(['fickle'], { checkReproducible: true })).catch(
      (one: unknown) => one,
    );
    return error instanceof IcepkgError ? `${error.message}\n${error.hint}` : String(error);
  };
  const plain =
    /different bytes in fickle-1\.0\.0-r0\.noarch\.icepkg\n.* The first difference is in usr\/share\/a at byte \d+/;
  vi.stubEnv('PATH', withoutDiffoscope());
  const without = await said();
  vi.unstubAllEnvs();
  expect(without).toMatch(plain);
  expect(without).not.toContain('diffoscope');
  if (spawnSync('diffoscope', ['--version']).error !== undefined) return;
  const found = await said();
  expect(found).toMatch(plain);
  expect(found).toMatch(
    /; diffoscope says:\n--- 0\/usr\/share\/a\n\+\+\+ 1\/usr\/share\/a\n[^]*\n-[0-9a-f-]{36}\n\+[0-9a-f-]{36}$/,
  );
});

/** A folder with all commands of the machine but that one. */
function withoutDiffoscope(): string {
  const bin = path.join(folder, 'bin');
  fs.mkdirSync(bin);
  const folders = (process.env['PATH'] ?? '').split(':').filter((name) => fs.existsSync(name));
  // The first of a name counts; some dangle.
  const found = folders
    .toReversed()
    .flatMap((one) => fs.readdirSync(one).map((name) => [name, one] as const));
  for (const [name, one] of new Map(found))
    if (name !== 'diffoscope') fs.symlinkSync(path.join(one, name), path.join(bin, name));
  return bin;
}

test('a patch that does not apply is shown, hunk by hunk', async () => {
  recipe('old', `sources: [{path: text}]\npatches: [new.patch]\n${FILE}`);
  fs.writeFileSync(path.join(folder, 'recipes/old/text'), 'one\n');
  fs.writeFileSync(
    path.join(folder, 'recipes/old/new.patch'),
    '--- a/text\n+++ b/text\n@@ -1 +1 @@\n-two\n+three\n',
  );
  await expect(buildRecipes(request(['old']))).rejects.toMatchObject({
    message: 'old 1.0.0-r0 for noarch: patch ended with status 1',
    hint: expect.stringContaining('-two\n+three') as string,
  });
});

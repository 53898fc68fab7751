/** The builder from recipe to package files, on recipes that need no compiler. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readHeader } from '#schema/container/read';
import { sha256 } from '#schema/digest';
import { generateKey } from '#schema/keys';
import { verifyManifest } from '#schema/signature';
import { buildEverything, buildRecipes, type BuildRequest, type BuiltRecipe } from '#pkgbuild/build';
import { allRecipes } from '#pkgbuild/recipe';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-build-test-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Declares a recipe; `files` lie beside it. */
function recipe(name: string, body: string, files: Readonly<Record<string, string>> = {}): void {
  const home = path.join(folder, 'recipes', name);
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(
    path.join(home, 'recipe.yaml'),
    `name: ${name}\nversion: "1.0.0"\nlicense: MIT\narch: noarch\n${body}`,
  );
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(home, file), text);
}

const request = (names: readonly string[]): BuildRequest => buildRequest(folder, names);
const build = (names: readonly string[], more: Partial<BuildRequest> = {}): Promise<BuiltRecipe[]> =>
  buildRecipes({ ...request(names), ...more });

const HELLO = `sources:
  - path: hello
patches: [loud.patch]
install: |
  install -Dm755 hello "$DESTDIR/usr/bin/hello"
  install -Dm644 hello "$DESTDIR/etc/hello.conf"
  ln "$DESTDIR/etc/hello.conf" "$DESTDIR/etc/hello.same"
configFiles: [etc/hello.conf]
owners:
  - {path: etc/hello.conf, group: wheel, mode: "0640"}
`;
const HELLO_FILES = {
  hello: 'echo hello\n',
  'loud.patch': '--- a/hello\n+++ b/hello\n@@ -1 +1 @@\n-echo hello\n+echo HELLO\n',
};

test('a recipe becomes a signed package that tar reads', async () => {
  recipe('hello', HELLO, HELLO_FILES);
  const key = generateKey();
  const [built] = await build(['hello'], { keys: [key] });
  const file = path.join(folder, 'out/hello-1.0.0-r0.noarch.icepkg');
  const { manifest, manifestBytes, signatures } = readHeader(file, 'hello');
  expect(manifest).toMatchObject({
    name: 'hello',
    version: '1.0.0-r0',
    arch: 'noarch',
    origin: 'hello',
    provides: ['cmd:hello'],
  });
  expect(manifest.files.filter(({ type }) => type !== 'directory')).toMatchObject([
    {
      path: 'etc/hello.conf',
      type: 'file',
      mode: 0o640,
      group: 'wheel',
      config: true,
      sha256: sha256('echo HELLO\n'),
    },
    { path: 'etc/hello.same', type: 'hardlink', target: 'etc/hello.conf' },
    { path: 'usr/bin/hello', type: 'file', mode: 0o755 },
  ]);
  expect(verifyManifest(manifestBytes, signatures, [key.public])).toEqual([key.public]);
  expect(execFileSync('tar', ['-xOf', file, 'usr/bin/hello'], { encoding: 'utf8' })).toBe('echo HELLO\n');
  expect(built).toMatchObject({
    cached: false,
    packages: [{ name: 'hello', sha256: sha256(fs.readFileSync(file)) }],
  });
});

test('nothing is built twice, and every input counts', async () => {
  recipe('base', 'install: mkdir -p "$DESTDIR/base"\n');
  recipe('hello', `buildDepends: [base]\n${HELLO}`, HELLO_FILES);
  expect((await build(['hello'])).map((one) => [one.recipe, one.cached])).toEqual([
    ['base', false],
    ['hello', false],
  ]);
  expect((await build(['hello'])).map((one) => one.cached)).toEqual([true, true]);
  fs.writeFileSync(path.join(folder, 'recipes/hello/hello'), 'echo hello\n# more\n');
  expect((await build(['hello'])).map((one) => one.cached)).toEqual([true, false]);
  recipe('base', 'install: mkdir -p "$DESTDIR/other"\n');
  expect((await build(['hello'])).map((one) => one.cached)).toEqual([false, false]);
});

test("steps see of the recipe's folder what the recipe names", async () => {
  const files = { named: 'text\n', other: 'text\n' };
  recipe('shown', 'sources: [{ path: named }]\ninstall: ls "$RECIPE" >"$DESTDIR/shown"\n', files);
  await build(['shown']);
  const packed = path.join(folder, 'out/shown-1.0.0-r0.noarch.icepkg');
  expect(execFileSync('tar', ['-xOf', packed, 'shown'], { encoding: 'utf8' })).toBe('named\n');
});

test('a damaged package in the cache is built again', async () => {
  recipe('hello', HELLO, HELLO_FILES);
  const [built] = await build(['hello']);
  fs.appendFileSync(path.join(folder, 'cache/builds', built!.key, built!.packages[0]!.file), 'x');
  expect((await build(['hello'])).map((one) => one.cached)).toEqual([false]);
  expect((await build(['hello'])).map((one) => one.cached)).toEqual([true]);
});

const SEEN = 'install: cd "$SYSROOT" && find . -type f | sort >"$DESTDIR/seen"\n';
const seen = (): string =>
  execFileSync('tar', ['-xOf', path.join(folder, 'out/top-1.0.0-r0.noarch.icepkg'), 'seen'], {
    encoding: 'utf8',
  });
const file = (name: string): string => `install -Dm644 /dev/null "$DESTDIR/${name}"`;

test('the root of a build holds what is declared and what that needs to run, without documentation', async () => {
  recipe('tool', `install: ${file('usr/bin/tool')}\n`);
  recipe('base', `install: ${file('usr/include/base.h')}; ${file('usr/share/doc/base')}\n`);
  recipe('run', `install: ${file('usr/lib/run')}\n`);
  recipe(
    'middle',
    `buildDepends: [tool, base]\ntestDepends: [run]\ndepends: [base-dev, run, 'cmd:awk']\ninstall: ${file('usr/lib/middle')}\n`,
  );
  recipe('top', `buildDepends: [middle]\n${SEEN}`);
  await build(['top']);
  expect(seen()).toBe('./usr/include/base.h\n./usr/lib/middle\n./usr/lib/run\n');
});

test('a change of what is not in the root of a build does not build it again', async () => {
  recipe('tool', `install: ${file('usr/bin/tool')}\n`);
  recipe('middle', `buildDepends: [tool]\ninstall: ${file('usr/lib/middle')}\n`);
  recipe('top', `buildDepends: [middle]\n${SEEN}`);
  await build(['top']);
  recipe('tool', `install: ${file('usr/bin/tool2')}\n`);
  // What middle is built with changed, but not what came out of it.
  expect((await build(['top'])).map((one) => [one.recipe, one.cached])).toEqual([
    ['tool', false],
    ['middle', false],
    ['top', true],
  ]);
});

test('a build dependency that cannot be installed says what it lacks', async () => {
  recipe('middle', `depends: [elsewhere]\ninstall: ${file('usr/lib/middle')}\n`);
  recipe('top', `buildDepends: [middle]\n${SEEN}`);
  await expect(build(['top'])).rejects.toMatchObject({
    code: 'build-failed',
    message: expect.stringMatching(
      /^top for noarch: the root of the build cannot be made: [^]*elsewhere/,
    ) as string,
    hint: expect.stringMatching(/testDepends .* buildDepends/) as string,
  });
});

test('a failing step names recipe, phase and log, and leaves nothing', async () => {
  recipe('broken', 'build: echo about to fail; exit 3\n');
  await expect(build(['broken'])).rejects.toMatchObject({
    code: 'build-failed',
    message: 'broken 1.0.0-r0 for noarch: build ended with status 3',
    hint: expect.stringMatching(
      /The whole log is .*broken-1\.0\.0-r0\.noarch\.log; it ends with:\n[^]*about to fail/,
    ) as string,
  });
  expect(fs.existsSync(path.join(folder, 'out'))).toBe(false);
  expect(fs.readdirSync(path.join(folder, 'cache/builds'))).toEqual([]);
});

test('what the linter calls an error in a recipe is refused before anything is built', async () => {
  recipe('low', 'install: mkdir -p "$DESTDIR/low"\n');
  recipe('loud', 'buildDepends: [low]\ninstall: sudo mkdir -p "$DESTDIR/loud"\n');
  const phases: string[] = [];
  const onProgress: BuildRequest['onProgress'] = (progress) => phases.push(progress.phase);
  await expect(build(['loud'], { onProgress })).rejects.toMatchObject({
    code: 'lint-failed',
    message: `${path.join(folder, 'recipes/loud/recipe.yaml')}:6:1: install runs sudo (sudo)`,
    hint: expect.stringContaining('lint.allow') as string,
  });
  expect(phases).toEqual([]);
  const outcomes = await buildEverything(request(['loud', 'low']));
  expect(outcomes.map(({ state }) => state)).toEqual(['built', 'failed']);
});

test('a source is taken from the first place that has it, by its sha256', async () => {
  fs.writeFileSync(path.join(folder, 'wrong'), 'wrong');
  fs.writeFileSync(path.join(folder, 'right'), 'right');
  const source = (hash: string): string =>
    `sources:\n  - file: data\n    sha256: ${hash}\n    from:\n      - url: file://${folder}/missing\n      - url: file://${folder}/wrong\n      - url: file://${folder}/right\ninstall: cp data "$DESTDIR/"\n`;
  recipe('data', source(sha256('right')));
  await build(['data']);
  fs.rmSync(path.join(folder, 'right'));
  // From here on the cache has it.
  recipe('data', `${source(sha256('right'))}description: again\n`);
  await build(['data']);
  recipe('data', source(sha256('other')));
  await expect(build(['data'])).rejects.toMatchObject({
    code: 'source-failed',
    message: expect.stringMatching(
      new RegExp(
        `cannot get data \\(sha256 ${sha256('other')}\\); tried file://.*/missing: there is no such file; file://.*/wrong: data has the sha256 ${sha256('wrong')} instead, and is kept as .*; file://.*/right: `,
      ),
    ) as string,
  });
});

test('a cycle, a missing recipe and an architecture that is not built for are named', async () => {
  recipe('a', 'buildDepends: [b]\n');
  recipe('b', 'buildDepends: [a]\n');
  recipe('c', 'buildDepends: [hallo]\n');
  recipe('hello', HELLO, HELLO_FILES);
  await expect(build(['a'])).rejects.toThrow('build dependencies form a cycle: a -> b -> a');
  await expect(build(['c'])).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('c/recipe.yaml:5:16: buildDepends names hallo') as string,
    hint: 'Did you mean hello?',
  });
  recipe('d', 'testDepends: [hello-dev]\n');
  await expect(build(['d'])).rejects.toMatchObject({
    message: expect.stringContaining('testDepends names hello-dev') as string,
    hint: 'hello-dev is a package of the recipe hello: name that',
  });
  fs.writeFileSync(
    path.join(folder, 'recipes/hello/recipe.yaml'),
    'name: hello\nversion: "1.0.0"\nlicense: MIT\narch: [aarch64]\n',
  );
  await expect(build(['hello'])).rejects.toThrow('hello is not built for x86_64');
});

test('building twice tells a recipe that gives other bytes each time', async () => {
  recipe('stable', 'install: date +%Y >/dev/null; echo "$SOURCE_DATE_EPOCH" >"$DESTDIR/time"\n');
  recipe('fickle', 'install: cat /proc/sys/kernel/random/uuid >"$DESTDIR/id"\n');
  expect(await build(['stable'], { checkReproducible: true })).toMatchObject([
    { reproducible: true, cached: false },
  ]);
  await expect(build(['fickle'], { checkReproducible: true })).rejects.toThrow(
    'fickle for noarch: two builds gave different bytes in fickle-1.0.0-r0.noarch.icepkg',
  );
});

test('what a killed build left behind is removed by the next', async () => {
  const beyondEveryPid = 2 ** 22 + 1;
  const abandoned = path.join(os.tmpdir(), `icepkg-build-${beyondEveryPid}-test`);
  const running = path.join(os.tmpdir(), `icepkg-build-${process.ppid}-test`);
  for (const left of [abandoned, running]) fs.mkdirSync(path.join(left, 'src'), { recursive: true });
  try {
    recipe('hello', HELLO, HELLO_FILES);
    await build(['hello']);
    expect([abandoned, running].map((left) => fs.existsSync(left))).toEqual([false, true]);
  } finally {
    fs.rmSync(running, { recursive: true });
  }
});

test('another key signs what is in the cache, without a build', async () => {
  recipe('hello', HELLO, HELLO_FILES);
  const signers = [generateKey(), generateKey()];
  await build(['hello'], { keys: signers.slice(0, 1) });
  const [again] = await build(['hello'], { keys: signers.slice(1) });
  const { file = '', sha256: digest } = again?.packages[0] ?? {};
  const whole = fs.readFileSync(path.join(folder, 'out', file));
  expect({ cached: again?.cached, digest }).toEqual({ cached: true, digest: sha256(whole) });
  const header = readHeader(path.join(folder, 'out', file), file);
  const trusted = signers.map(
    (key) => verifyManifest(header.manifestBytes, header.signatures, [key.public]).length,
  );
  expect(trusted).toEqual([0, 1]);
});

test('sources may lie in the repository around the recipes, and no further', async () => {
  fs.mkdirSync(path.join(folder, 'program'));
  fs.writeFileSync(path.join(folder, 'program/main'), 'program\n');
  fs.writeFileSync(path.join(folder, 'README'), 'read me\n');
  const body = (program: string): string => `sources:
  - path: ${program}
    into: program
  - path: ../../README
split: false
install: |
  install -D program/main "$DESTDIR/usr/bin/main"
  install -D README "$DESTDIR/usr/share/README"
`;
  recipe('near', body('../../program'));
  const [first] = await build(['near']);
  expect(readHeader(path.join(folder, 'out/near-1.0.0-r0.noarch.icepkg'), 'near').manifest.provides).toEqual([
    'cmd:main',
  ]);
  fs.writeFileSync(path.join(folder, 'program/main'), 'changed\n');
  expect((await build(['near']))[0]?.key).not.toBe(first?.key);
  recipe('near', body('../../../program'));
  await expect(build(['near'])).rejects.toThrow('one that begins with ../ or ../../');
});

test('a recipe in a folder of another name is not found by that name, and built where its path is given', async () => {
  recipe('hello', 'install: mkdir -p "$DESTDIR/hello"\n');
  const [recipes, other] = [path.join(folder, 'recipes'), path.join(folder, 'recipes/other')];
  fs.renameSync(path.join(recipes, 'hello'), other);
  const message = `${other}/recipe.yaml:1:1: name: the recipe hello is in a folder called other, and recipes are found by their folder`;
  await expect(build(['other'])).rejects.toMatchObject({ code: 'format-invalid', message });
  expect(() => allRecipes([recipes], 'x86_64')).toThrow(message);
  expect(await build([other])).toMatchObject([{ recipe: 'hello', cached: false }]);
});

test('of many, those are built that the machine has the commands for', async () => {
  recipe('lacks', 'hostDepends: [no-such-package]\ninstall: mkdir -p "$DESTDIR/lacks"\n');
  recipe('needs', 'buildDepends: [lacks]\ninstall: mkdir -p "$DESTDIR/needs"\n');
  recipe('plain', 'install: mkdir -p "$DESTDIR/plain"\n');
  const outcomes = await buildEverything(request(['lacks', 'needs', 'plain']));
  expect(outcomes).toMatchObject([
    { recipe: 'lacks', state: 'failed', error: { code: 'tool-missing' } },
    { recipe: 'needs', state: 'blocked', by: 'lacks' },
    { state: 'built', built: { recipe: 'plain' } },
  ]);
  await expect(build(['plain', 'lacks'])).rejects.toMatchObject({ code: 'tool-missing' });
});

test('errors of sources name their place in the recipe', async () => {
  fs.writeFileSync(path.join(folder, 'there'), 'other');
  const source = (url: string): string =>
    `sources:\n  - file: a.txt\n    sha256: ${sha256('content')}\n    from: [{url: "file://${path.join(folder, url)}"}]\n`;
  const place = path.join(folder, 'recipes/hello/recipe.yaml:6:5: ');
  for (const url of ['there', 'gone']) {
    recipe('hello', source(url));
    const message = expect.stringMatching(new RegExp(`^${place}cannot get a.txt`)) as string;
    await expect(build(['hello'])).rejects.toMatchObject({ code: 'source-failed', message });
  }
  recipe('hello', 'sources:\n  - { path: hello.cnf }\ninstall: "true"\n', { 'hello.conf': '' });
  await expect(build(['hello'])).rejects.toMatchObject({
    code: 'lint-failed',
    message: expect.stringMatching(
      /recipe\.yaml:6:\d+: hello\.cnf is no file or folder beside the recipe; did you mean hello\.conf\?/,
    ) as string,
  });
});

/** Steps leave symlinks where the host goes through what they made. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildRecipes, type BuildRequest, type BuiltRecipe } from '#pkgbuild/build';
import { sha256 } from '#schema/digest';
import { icepkg } from '../cli/icepkg.ts';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
let victim: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-hostile-steps-'));
  victim = path.join(folder, 'victim');
  fs.mkdirSync(victim);
  fs.writeFileSync(path.join(victim, 'lib.la'), 'kept');
  fs.writeFileSync(path.join(victim, 'LICENSE'), 'secret');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function recipe(body: string): void {
  const place = path.join(folder, 'recipes/demo');
  fs.mkdirSync(place, { recursive: true });
  fs.writeFileSync(path.join(place, 'text'), 'text\n');
  fs.writeFileSync(
    path.join(place, 'recipe.yaml'),
    `name: demo\nversion: "1.0.0"\nlicense: MIT\narch: noarch\n${body.replaceAll('VICTIM', victim)}`,
  );
}
const build = (more: Partial<BuildRequest> = {}): Promise<BuiltRecipe[]> =>
  buildRecipes(buildRequest(folder, ['demo'], more));
const left = (): string[] =>
  fs.readdirSync(victim).map((name) => `${name}: ${fs.readFileSync(path.join(victim, name), 'utf8')}`);
const UNTOUCHED = ['LICENSE: secret', 'lib.la: kept'];

test.each(['dest', 'src'])('a symlink in the place of /build/%s is refused', async (name) => {
  recipe(`build: |\n  cd /build\n  mv ${name} old\n  ln -s VICTIM ${name}\n`);
  await expect(build()).rejects.toMatchObject({
    code: 'build-failed',
    message: `demo: build put something else in the place of /build/${name}`,
  });
  expect(left()).toEqual(UNTOUCHED);
});

test('a declared directory does not lead through a symlink that was installed', async () => {
  recipe('directories: [{ path: opt/made }]\ninstall: ln -s VICTIM "$DESTDIR/opt"\n');
  await expect(build()).rejects.toThrow(
    'the recipe declares the directory opt/made, and the build installed opt, which is none',
  );
  expect(left()).toEqual(UNTOUCHED);
});

test('a build is not resumed in a tree whose folders were replaced', async () => {
  recipe('build: |\n  cd /build\n  mv src old\n  ln -s VICTIM src\n  exit 1\n');
  await expect(build()).rejects.toThrow('build ended with status 1');
  await expect(build({ resume: true })).rejects.toThrow(
    'demo: a step put something else in the place of /build/src',
  );
  expect(left()).toEqual(UNTOUCHED);
});

test('what a build is resumed with is laid in a folder of its own', async () => {
  fs.writeFileSync(path.join(folder, 'lib.la'), 'fetched');
  recipe(
    `sources: [{ file: lib.la, sha256: ${sha256('fetched')}, extract: false, from: [{ url: "file://${folder}/lib.la" }] }]\nbuild: |\n  cd /build\n  mv distfiles old\n  ln -s VICTIM distfiles\n  exit 1\n`,
  );
  await expect(build()).rejects.toThrow('build ended with status 1');
  await expect(build({ resume: true })).rejects.toThrow('build ended with status 1');
  expect(left()).toEqual(UNTOUCHED);
});

test('the note for a shell at the failed step takes the place of what lay there', async () => {
  recipe('build: |\n  ln -s VICTIM/lib.la /build/step.sh\n  exit 1\n');
  await expect(build()).rejects.toThrow('build ended with status 1');
  const where = ['--recipes', path.join(folder, 'recipes'), '--cache', path.join(folder, 'cache')];
  const shell = icepkg(['build', 'demo', '--shell', '--arch', 'x86_64', ...where]);
  expect(shell).toMatchObject({ status: 0 });
  expect(left()).toEqual(UNTOUCHED);
});

/** Going on in the tree of a failed build after the recipe, or a file beside it, was changed. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildRecipes, type BuildRequest, type BuiltRecipe } from '#pkgbuild/build';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-resume-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const beside = (file: string, recipe = 'demo'): string => path.join(folder, 'recipes', recipe, file);
function recipe(body: string, name = 'demo'): void {
  fs.mkdirSync(beside('.', name), { recursive: true });
  fs.writeFileSync(
    beside('recipe.yaml', name),
    `name: ${name}\nversion: "1.0.0"\nlicense: MIT\narch: noarch\n${body}`,
  );
}
const build = (more: Partial<BuildRequest> = {}): Promise<BuiltRecipe[]> =>
  buildRecipes(buildRequest(folder, ['demo'], more));
const resume = (): Promise<BuiltRecipe[]> => build({ resume: true });
const packed = (file: string): string =>
  execFileSync('tar', ['-xOf', path.join(folder, 'out/demo-1.0.0-r0.noarch.icepkg'), file], {
    encoding: 'utf8',
  });

const demo = (step: string, prepare = 'echo prepared >made', more = ''): void =>
  recipe(
    `${more}sources: [{ path: text }]\npatches: [a.patch]\nprepare: ${prepare}\nbuild: |\n  ${step}\ninstall: |\n  cat text made >"$DESTDIR/demo"\n`,
  );

/** A build that failed in its phase `build`. */
async function failed(more = ''): Promise<void> {
  demo('test -e nothing', undefined, more);
  fs.writeFileSync(beside('text'), 'old\n');
  fs.writeFileSync(beside('a.patch'), 'why\n--- a/text\n+++ b/text\n@@ -1 +1 @@\n-old\n+patched\n');
  await expect(build()).rejects.toThrow('build ended with status 1');
}

test('the step that failed, and those after it, are run as the recipe has them now', async () => {
  await failed();
  demo('echo mended >>made');
  await resume();
  expect(packed('demo')).toBe('patched\nprepared\nmended\n');
});

test.each<[string, () => void]>([
  ['the file text', () => fs.writeFileSync(beside('text'), 'old\nnew\n')],
  ['the patch a.patch', () => fs.appendFileSync(beside('a.patch'), '# more\n')],
  ['the phase prepare', () => demo('true', 'echo other >made')],
  ['the variables under env', () => demo('true', undefined, 'env: { A: b }\n')],
])('a change of %s is named, and the tree stays for another try', async (what, change) => {
  await failed();
  const before = new Map(
    ['text', 'a.patch', 'recipe.yaml'].map((file) => [file, fs.readFileSync(beside(file))]),
  );
  change();
  await expect(resume()).rejects.toMatchObject({
    code: 'build-failed',
    message: `demo cannot go on where it failed, because the kept tree was made with others: ${what}`,
    hint: 'Build it anew: leave out --resume',
  });
  for (const [file, text] of before) fs.writeFileSync(beside(file), text);
  await expect(resume()).rejects.toThrow('build ended with status 1');
});

test('a build dependency that is added where no step has run yet is there', async () => {
  recipe('install: echo found >"$DESTDIR/dep"\n', 'dep');
  const needs = (more: string): void =>
    recipe(`${more}build: cat "$SYSROOT/dep"\ninstall: cp "$SYSROOT/dep" "$DESTDIR/demo"\n`);
  needs('');
  await expect(build()).rejects.toThrow('build ended with status 1');
  needs('buildDepends: [dep]\n');
  await resume();
  expect(packed('demo')).toBe('found\n');
});

test('the phases after a check that is left out are run', async () => {
  recipe('check: "false"\ninstall: echo installed >"$DESTDIR/demo"\n');
  await expect(build()).rejects.toThrow('check ended with status 1');
  await build({ resume: true, check: false });
  expect(packed('demo')).toBe('installed\n');
});

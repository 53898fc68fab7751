/** What is told of a build after something that went into it changed. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { whyRebuild, type RebuildAnswer } from '#pkgbuild/author/why-rebuild';
import { buildRecipes } from '#pkgbuild/build';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-why-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function recipe(name: string, body: string): void {
  const home = path.join(folder, 'recipes', name);
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(
    path.join(home, 'recipe.yaml'),
    `name: ${name}\nversion: "1.0.0"\nlicense: MIT\narch: noarch\n${body}`,
  );
}
const install = (text: string): string =>
  `install: |\n  mkdir -p "$DESTDIR/usr/share"\n  echo ${text} >"$DESTDIR/usr/share/$VERSION-${text}"\n`;
const APP = `sources:\n  - path: data\nbuildDepends: [lib]\n${install('app')}`;

const common = { arch: 'x86_64', codec: 'zstd' } as const;
const build = async (): Promise<void> => {
  await buildRecipes(buildRequest(folder, ['app']));
};
const why = (): Promise<RebuildAnswer> =>
  whyRebuild({
    ...common,
    recipe: 'app',
    roots: [path.join(folder, 'recipes')],
    cacheFolder: path.join(folder, 'cache'),
  });

test('each thing that changed is told, and nothing else', async () => {
  recipe('lib', install('lib'));
  recipe('app', APP);
  fs.writeFileSync(path.join(folder, 'recipes/app/data'), 'one');
  expect(await why()).toEqual({ recipe: 'app', arch: 'noarch', state: 'new', changes: [] });
  await build();
  expect(await why()).toMatchObject({ state: 'built', changes: [] });

  fs.writeFileSync(path.join(folder, 'recipes/app/data'), 'two');
  expect(await why()).toMatchObject({ state: 'changed', changes: [{ kind: 'file', what: 'data' }] });
  fs.writeFileSync(path.join(folder, 'recipes/app/data'), 'one');

  recipe('app', `release: 2\n${APP}`);
  expect((await why()).changes).toEqual([{ kind: 'recipe field', what: 'release', old: 0, new: 2 }]);
  recipe('app', APP);

  recipe('lib', install('other'));
  expect((await why()).changes).toEqual([
    {
      kind: 'build dependency',
      what: 'lib',
      because: [expect.objectContaining({ kind: 'recipe field', what: 'install' })],
    },
  ]);
  await build();
  expect(await why()).toMatchObject({ state: 'built' });
});

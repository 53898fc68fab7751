/**
 * Real recipes, built twice: the bytes are the same. The cheap ones always, all of them with
 * `ICEPKG_ALL_RECIPES=1` (`npm run test:recipes`).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildRecipes } from '#pkgbuild/build';
import { recipeNames } from '#pkgbuild/recipe';
import { collectionRequest } from '../support/build-request.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const roots = [path.join(top, 'recipes')];
const everything = process.env['ICEPKG_ALL_RECIPES'] === '1';
const names = everything ? recipeNames(path.join(top, 'recipes')) : ['base-files', 'zlib', 'ca-certificates'];
const arches = everything ? (['x86_64', 'aarch64'] as const) : (['aarch64'] as const);
let output: string;
beforeAll(() => {
  output = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-reproducible-'));
});
afterAll(() => fs.rmSync(output, { recursive: true, force: true }));

describe.each(arches)('for %s', (arch) => {
  test.each(names)('%s gives the same bytes twice', { timeout: 1_200_000 }, async (name) => {
    const built = await buildRecipes({
      ...collectionRequest([name], arch, output),
      roots,
      checkReproducible: true,
    });
    expect(built.at(-1)).toMatchObject({ recipe: name, reproducible: true });
  });
});

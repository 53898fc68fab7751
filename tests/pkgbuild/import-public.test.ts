/**
 * Recipes of other package managers as the world writes them: every file below a folder is imported or refused with a way
 * out, and linted. `ICEPKG_IMPORTS=DIR npm run test:imports`, with files called APKBUILD, PKGBUILD or NAME.yaml.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { IcepkgError } from '#schema/error';
import { importRecipe, type ImportFormat } from '#pkgbuild/import/import';
import { lintSubjects } from '#pkgbuild/lint/subjects';
import { defaultRecipeRoots } from '#pkgbuild/recipe';

const source = process.env['ICEPKG_IMPORTS'];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-imports-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const formatOf = (name: string): ImportFormat => {
  if (name.includes('APKBUILD')) return 'apkbuild';
  return name.includes('PKGBUILD') ? 'pkgbuild' : 'melange';
};

test.runIf(source !== undefined)(
  'every file is imported or refused, none breaks anything',
  async () => {
    const counts: Record<string, number> = {};
    const broken: unknown[] = [];
    const names = fs
      .readdirSync(source ?? '', { recursive: true, encoding: 'utf8' })
      .filter((name) => /(?:PKGBUILD|APKBUILD|\.yaml)/.test(path.basename(name)));
    const roots = defaultRecipeRoots();
    for (const [index, name] of names.entries()) {
      const format = formatOf(path.basename(name));
      const count = (outcome: string): void => {
        const key = `${format} ${outcome}`;
        counts[key] = (counts[key] ?? 0) + 1;
      };
      try {
        const { whole, file } = await importRecipe({
          file: path.join(source ?? '', name),
          format,
          into: path.join(folder, String(index)),
          roots,
          cacheFolder: path.join(folder, 'cache'),
          fetch: false,
        });
        const { problem } = lintSubjects([file], roots);
        if (problem !== undefined) throw problem;
        count(whole ? 'whole' : 'in part');
      } catch (error) {
        count('refused');
        if (!(error instanceof IcepkgError) || error.hint === undefined) broken.push([name, error]);
      }
    }
    console.log(names.length, counts);
    expect(broken).toEqual([]);
    expect(names).not.toEqual([]);
  },
  3_600_000,
);

/** Licence texts: which files of a source are taken for them, and which packages get them. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readHeader } from '#schema/container/read';
import { IcepkgError } from '#schema/error';
import { buildRecipes } from '#pkgbuild/build';
import { nearLicense } from '#pkgbuild/license-names';
import { collectLicenses } from '#pkgbuild/licenses';
import { parseRecipe } from '#pkgbuild/recipe';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-licenses-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Writes a source tree and says what is found in it. */
function found(files: Readonly<Record<string, string>>, more = ''): string[] {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text);
  }
  const recipe = parseRecipe(`name: a\nversion: '1.0.0'\nlicense: MIT\n${more}`, 'a');
  return collectLicenses(folder, recipe).map(
    ({ name, content }) => `${name}=${Buffer.from(content).toString()}`,
  );
}

test('files called like a licence are taken, each text once', () => {
  const files = {
    'COPYING.LESSER': 'lgpl',
    COPYING: 'gpl',
    LICENCE: 'gpl',
    'LICENSE-MIT.txt': 'mit',
    NOTICE: '',
    COPYRIGHT: 'musl',
    'license.c': 'code',
    'LICENSES/BSD-3-Clause.txt': 'bsd',
    'doc/COPYING': 'deep',
  };
  expect(found(files)).toEqual([
    'COPYING=gpl',
    'COPYING.LESSER=lgpl',
    'COPYRIGHT=musl',
    'LICENSE-MIT.txt=mit',
    'BSD-3-Clause.txt=bsd',
  ]);
});

test('each folder that a source is put into has its own, under a name of its own', () => {
  const more = 'sources: [{path: one}, {path: two, into: vendor/two}]\n';
  expect(found({ COPYING: 'one', 'vendor/two/COPYING': 'two', 'vendor/COPYING': 'no' }, more)).toEqual([
    'COPYING=one',
    'vendor-two-COPYING=two',
  ]);
});

test('licenseFiles replaces the search, and each pattern must match', () => {
  const files = { COPYING: 'gpl', 'doc/legal/terms.txt': 'terms' };
  expect(found(files, 'licenseFiles: ["doc/*/terms.txt"]\n')).toEqual(['terms.txt=terms']);
  expect(found(files, 'licenseFiles: []\n')).toEqual([]);
  expect(() => found(files, 'licenseFiles: [LICENSE]\n')).toThrow(IcepkgError);
});

test('a link out of the source leads nowhere', () => {
  fs.symlinkSync('/etc/hostname', path.join(folder, 'COPYING'));
  fs.symlinkSync('/etc', path.join(folder, 'LICENSES'));
  fs.symlinkSync('LICENSE', path.join(folder, 'LICENSE'));
  expect(found({ real: 'text' })).toEqual([]);
  fs.symlinkSync('real', path.join(folder, 'NOTICE'));
  expect(found({})).toEqual(['NOTICE=text']);
});

test('every package of a recipe but -dev carries them', async () => {
  const home = path.join(folder, 'recipes/demo');
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(path.join(home, 'COPYING'), 'do as you like\n');
  fs.writeFileSync(
    path.join(home, 'recipe.yaml'),
    `name: demo
version: '1.0.0'
license: MIT
arch: noarch
sources: [{path: COPYING}]
install: |
  install -Dm644 COPYING "$DESTDIR/usr/include/demo.h"
  install -Dm644 COPYING "$DESTDIR/usr/share/demo/data"
  install -Dm644 COPYING "$DESTDIR/usr/share/extra/data"
  install -Dm644 COPYING "$DESTDIR/usr/share/licenses/demo/COPYING"
subpackages: [{name: demo-extra, files: [usr/share/extra]}]
`,
  );
  const [built] = await buildRecipes(buildRequest(folder, ['demo']));
  const licences = (built?.packages ?? []).map(({ name, file }) => {
    const { manifest } = readHeader(path.join(folder, 'out', file), file);
    const paths = manifest.files.map((entry) => entry.path);
    return [name, paths.filter((one) => one.includes('licenses/'))];
  });
  expect(Object.fromEntries(licences)).toEqual({
    demo: ['usr/share/licenses/demo', 'usr/share/licenses/demo/COPYING'],
    'demo-dev': [],
    'demo-extra': ['usr/share/licenses/demo-extra', 'usr/share/licenses/demo-extra/COPYING'],
  });
});

test.each([
  ['GPLv2', 'GPL-2.0-only'],
  ['GPLv3+', 'GPL-3.0-or-later'],
  ['GPL-2.0-or-newer', 'GPL-2.0-or-later'],
  ['gpl-3.0', 'GPL-3.0-only'],
  ['LGPLv2.1', 'LGPL-2.1-only'],
  ['GPL', 'GPL-2.0-or-later'],
  ['BSD', 'BSD-3-Clause'],
  ['BSD 3-Clause', 'BSD-3-Clause'],
  ['Apache2', 'Apache-2.0'],
  ['Apache License, Version 2.0', 'Apache-2.0'],
  ['mit', 'MIT'],
  ['MITT', 'MIT'],
  ['(GPLv2+ and BSD) or MIT', '(GPL-2.0-or-later AND BSD-3-Clause) OR MIT'],
  ['GPLv2 with Classpath-exception-2.0', 'GPL-2.0-only WITH Classpath-exception-2.0'],
  ['whatever the author said', undefined],
])('%s was probably meant to be %s', (written, meant) => {
  expect(nearLicense(written)).toBe(meant);
});

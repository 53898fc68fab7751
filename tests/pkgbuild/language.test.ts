/** What recipes can say beyond shell text, built without a compiler. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readHeader } from '#schema/container/read';
import { buildRecipes, type BuildRequest } from '#pkgbuild/build';
import { findPipeline, pipelineNames } from '#pkgbuild/pipeline';
import { parseRecipe } from '#pkgbuild/recipe';
import { resolveRecipe, type ResolvedRecipe } from '#pkgbuild/resolve-recipe';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-language-test-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const HEAD = 'name: sample\nversion: "1.0.0"\nlicense: MIT\narch: noarch\n';
const parse = (body: string): ReturnType<typeof parseRecipe> =>
  parseRecipe(`${HEAD}${body}`, path.join(folder, 'recipe.yaml'));
const resolve = (body: string, options = {}): ResolvedRecipe =>
  resolveRecipe({ recipe: parse(body), folder }, 'aarch64', options);

/** Builds the sample and returns what its packages hold. */
async function build(body: string, more: Partial<BuildRequest> = {}): Promise<Record<string, string[]>> {
  fs.writeFileSync(path.join(folder, 'recipe.yaml'), `${HEAD}${body}`);
  const output = path.join(folder, 'out');
  const built = await buildRecipes(buildRequest(folder, [folder], { roots: [], ...more }));
  return Object.fromEntries(
    (built[0]?.packages ?? []).map(({ name, file }) => [
      name,
      readHeader(path.join(output, file), file)
        .manifest.files.filter(({ type }) => type !== 'directory')
        .map((entry) => entry.path),
    ]),
  );
}

test('steps run one after another, each in a shell of its own, pipelines by their inputs', async () => {
  const files = await build(`build:
  - name: first
    run: mkdir deep; cd deep; lost=1
  - run: echo "\${lost-none}" >said
  - run: exit 1
    if: aarch64
install:
  - uses: install
    with: { files: [said], to: usr/share, mode: '0600' }
`);
  expect(files).toEqual({ sample: ['usr/share/said'] });
  const text = execFileSync(
    'tar',
    ['-xOf', path.join(folder, 'out/sample-1.0.0-r0.noarch.icepkg'), 'usr/share/said'],
    {
      encoding: 'utf8',
    },
  );
  expect(text).toBe('none\n');
});

test('a pipeline of the recipe gives the phases that it has not', async () => {
  fs.mkdirSync(path.join(folder, 'pipelines'));
  fs.writeFileSync(
    path.join(folder, 'pipelines/greet.yaml'),
    `name: greet\ndescription: Greets\ninputs:\n  whom: {type: text, description: who is greeted}\n  loud: {type: flag, default: false, description: shouts}\nbuild: if $loud; then exit 1; fi\ninstall: printf %s "$whom" >"$DESTDIR/greeting"\n`,
  );
  await build("uses: greet\nwith: { whom: 'a b; $ARCH `x` $(y)' }\n");
  const text = execFileSync(
    'tar',
    ['-xOf', path.join(folder, 'out/sample-1.0.0-r0.noarch.icepkg'), 'greeting'],
    { encoding: 'utf8' },
  );
  expect(text).toBe('a b; $ARCH `x` $(y)');
});

test('options decide steps, subpackages and build dependencies', async () => {
  const body = `options:
  extra: { description: one file more, default: false }
install:
  - run: mkdir -p "$DESTDIR/usr/share"; echo "$OPTION_EXTRA" >"$DESTDIR/usr/share/base"
  - run: echo extra >"$DESTDIR/usr/share/extra"
    if: extra
subpackages:
  - name: sample-extra
    if: extra
    files: [usr/share/extra]
`;
  expect(await build(body)).toEqual({ sample: ['usr/share/base'] });
  expect(await build(body, { options: { extra: true } })).toEqual({
    sample: ['usr/share/base'],
    'sample-extra': ['usr/share/extra'],
  });
  await expect(build(body, { options: { extar: true } })).rejects.toMatchObject({
    code: 'usage',
    hint: 'Did you mean extra?',
  });
  const depends = 'options:\n  tls: {description: d, default: true}\n';
  expect(
    resolve(`${depends}buildDepends: [a, {name: b, if: tls}, {name: c, if: "!tls || x86_64"}]\n`)
      .buildDepends,
  ).toEqual(['a', 'b']);
});

test('one subpackage for each item, files by pipeline, directories with modes', async () => {
  const files = await build(`install: |
  mkdir -p "$DESTDIR/usr/share/locale/de" "$DESTDIR/usr/share"
  touch "$DESTDIR/usr/share/locale/de/x" "$DESTDIR/usr/share/one" "$DESTDIR/usr/share/two" "$DESTDIR/usr/share/rest"
directories:
  - { path: var/lib/sample, mode: '0750', user: sample, group: sample }
users: [{ name: sample }]
subpackages:
  - name: sample-lang
    uses: split/locales
  - name: sample-\${each}
    forEach: [one, two]
    description: Only \${each}
    files: ['usr/share/\${each}']
`);
  expect(files).toEqual({
    sample: ['usr/share/rest'],
    'sample-lang': ['usr/share/locale/de/x'],
    'sample-one': ['usr/share/one'],
    'sample-two': ['usr/share/two'],
  });
  const { manifest } = readHeader(path.join(folder, 'out/sample-1.0.0-r0.noarch.icepkg'), 'sample');
  expect(manifest.files.find((entry) => entry.path === 'var/lib/sample')).toMatchObject({
    type: 'directory',
    mode: 0o750,
    user: 'sample',
    group: 'sample',
  });
});

test('an architecture adds to lists and replaces the rest', () => {
  const recipe = resolve(
    'patches: [a]\nstrip: true\ndepends: [x]\nperArch:\n  aarch64:\n    patches: [b]\n    strip: false\n    depends: [y]\n    install: own\n',
  );
  expect(recipe).toMatchObject({ patches: ['a', 'b'], strip: false, depends: ['x', 'y'], install: 'own' });
});

test('pipelines that come with icepkg are sound, and bring what they need of the machine', () => {
  for (const name of pipelineNames(folder)) expect(findPipeline(name, folder)?.name).toBe(name);
  expect(pipelineNames(folder)).toEqual(
    'autotools cargo cmake go install kernel make meson node split/dev split/doc split/locales strip test/loads'.split(
      ' ',
    ),
  );
  expect(resolve('uses: meson\nhostDepends: [gperf]\n').hostDepends).toEqual([
    'gperf',
    'meson',
    'ninja-build',
  ]);
});

describe('refused is', () => {
  test.each([
    ['uses: autotool\n', '5:1: uses: there is no pipeline autotool', 'Did you mean autotools?'],
    [
      'uses: autotools\nwith: {confgure: x}\n',
      '6:8: with.confgure: the pipeline autotools has no such input',
      'Did you mean configure?',
    ],
    ['uses: autotools\nwith: {autoreconf: 3}\n', '6:8: with.autoreconf: expected true or false', undefined],
    [
      'install:\n  - uses: install\n',
      '6:5: install[0].uses: the pipeline install needs the input files',
      undefined,
    ],
    ['build:\n  - uses: install\n', '6:5: build[0].uses: the pipeline install has nothing for', undefined],
    [
      'build:\n  - {run: x, if: ssl}\n',
      '6:14: build[0].if: there is no option ssl',
      'Conditions may name x86_64, aarch64; declare others under options',
    ],
    ['build:\n  - {rnu: x}\n', '6:6: unknown field build[0].rnu', 'Did you mean run?'],
    [
      'subpackages:\n  - {name: a, files: [usr/a]}\n  - {name: a, files: [usr/b]}\n',
      '7:6: subpackages[1].name: two subpackages are called a',
      undefined,
    ],
    [
      'subpackages:\n  - {name: sample, files: [usr/a]}\n',
      '6:6: subpackages[0].name: sample is the recipe itself',
      undefined,
    ],
    [
      'subpackages:\n  - {name: a, uses: install}\n',
      '6:15: subpackages[0].uses: the pipeline install does not say which files',
      undefined,
    ],
    ['cpe: nothing\n', '5:1: cpe: expected a CPE 2.3 name', undefined],
  ])('%j', (body, message, hint) => {
    let error: unknown;
    try {
      parse(body);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({
      code: 'format-invalid',
      message: expect.stringContaining(`recipe.yaml:${message}`) as string,
      ...(hint === undefined ? {} : { hint }),
    });
  });

  test('a licence that SPDX does not know', () => {
    const text = HEAD.replace('MIT', 'GPLv2');
    expect(() => parseRecipe(text, 'recipe.yaml')).toThrow(
      'recipe.yaml:3:1: license: expected an SPDX expression',
    );
    for (const good of ['GPL-2.0-only WITH Linux-syscall-note', 'MIT AND LicenseRef-own', '(MIT OR ISC)'])
      expect(parseRecipe(HEAD.replace('MIT', good), 'recipe.yaml').license).toBe(good);
  });
});

test('a pattern that finds nothing is told, with what it should have been', async () => {
  const files = 'install: install -D /dev/null "$DESTDIR/etc/sample.conf"\n';
  await expect(build(`${files}configFiles: [etc/smaple.conf]\n`)).rejects.toMatchObject({
    message: 'sample: configFiles: etc/smaple.conf matches no file of the package',
    hint: 'Did you mean etc/sample.conf?',
  });
  const rules = (...paths: string[]): string =>
    `owners:\n${paths.map((one) => `  - { path: ${one}, mode: '0600' }\n`).join('')}`;
  await expect(build(`${files}${rules('etc/*.conf', 'etc/smaple.conf')}`)).rejects.toMatchObject({
    message: expect.stringContaining(
      'recipe.yaml:8:5: owners: etc/smaple.conf matches nothing that the recipe installs',
    ) as string,
    hint: 'Did you mean etc/sample.conf?',
  });
  // A rule of the recipe is for all its packages, and nobody knows what an option brings.
  const apart =
    'subpackages: [{ name: a, files: [etc/sample.conf] }]\noptions: { more: { description: brings more.conf, default: false } }\n';
  expect(await build(`${files}${apart}${rules('etc/sample.conf', 'etc/more.conf')}`)).toMatchObject({
    a: ['etc/sample.conf'],
  });
  const twice = 'subpackages:\n  - {name: a, files: [etc/*.conf]}\n  - {name: b, files: [etc/sample.conf]}\n';
  await expect(build(`${files}${twice}`)).rejects.toThrow(
    'sample: what subpackage b matches, such as etc/sample.conf, is in subpackages before it',
  );
});

test('a pipeline installs into a folder, under another name where one is given', async () => {
  const files = await build(`build: touch one two
install:
  - uses: install
    with: { files: [one, two], to: etc }
  - uses: install
    with: { files: one, to: usr/share/sample, as: first }
`);
  expect(files).toEqual({ sample: ['etc/one', 'etc/two', 'usr/share/sample/first'] });
});

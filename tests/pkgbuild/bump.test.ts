/** Raising recipes, and finding out which could be: sources are local files and a server on this machine. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '#schema/digest';
import { bumpRecipe, type Bumped } from '#pkgbuild/author/bump';
import { findOutdated } from '#pkgbuild/author/outdated';
import { findRecipe } from '#pkgbuild/recipe';
import { queryApt } from '#pkgbuild/sources/debian';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-bump-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const OLD = 'ab'.repeat(32);
const file = (): string => path.join(folder, 'recipe.yaml');
const write = (text: string): void => fs.writeFileSync(file(), text);
const bump = (version: string): Promise<Bumped> =>
  bumpRecipe({ loaded: findRecipe(file(), []), version, cacheFolder: path.join(folder, 'cache') });

/** A recipe with comments and odd spaces, which must all stay. */
const recipe = (base: string): string => `# Greets.
name:   demo   # the name
version: "1.2.0" # in quotes
release: 3
upstreamVersion: '1.2'
license: MIT
sources:
  - file: demo_1.2.orig.tar.gz
    sha256: ${OLD}   # of the archive
    from:
      - url: ${base}/missing/1.2/demo-1.2.tar.gz
      - url: ${base}/1.2/demo-1.2.tar.gz
  - { file: data.txt, sha256: ${OLD}, from: [{ url: "${base}/data.txt" }] }
check: |
  run ./demo --version | grep -q 'demo 1.2'
`;

test('version, names, addresses and sums change, and not one other letter', async () => {
  const base = pathToFileURL(folder).href;
  write(recipe(base));
  fs.mkdirSync(path.join(folder, '1.3'));
  fs.writeFileSync(path.join(folder, '1.3/demo-1.3.tar.gz'), 'the new archive');
  const sum = sha256(Buffer.from('the new archive'));
  expect(await bump('1.3')).toEqual({
    file: file(),
    from: '1.2.0',
    to: '1.3.0',
    sources: [{ file: 'demo_1.3.orig.tar.gz', sha256: sum }],
    mentions: [14],
  });
  expect(fs.readFileSync(file(), 'utf8')).toBe(
    recipe(base)
      .replace('release: 3\n', '')
      .replace('"1.2.0"', '"1.3.0"')
      .replace("'1.2'\n", "'1.3'\n")
      .replace('demo_1.2', 'demo_1.3')
      .replace(OLD, sum)
      .replaceAll('/1.2/demo-1.2', '/1.3/demo-1.3'),
  );
  expect(fs.readdirSync(path.join(folder, 'cache/sources'))).toEqual([`${sum}-demo_1.3.orig.tar.gz`]);
});

test('the name that upstream has for a version comes and goes', async () => {
  const base = pathToFileURL(folder).href;
  const plain = `name: demo\nversion: '1.2.3'\nlicense: MIT\nsources:\n  - file: demo-1.2.3.tar.gz\n    sha256: ${OLD}\n    from:\n      - url: ${base}/demo-1.2.3.tar.gz\n`;
  write(plain);
  for (const version of ['1.3p1', '2.0.0'])
    fs.writeFileSync(path.join(folder, `demo-${version}.tar.gz`), version);
  await bump('1.3p1');
  expect(fs.readFileSync(file(), 'utf8')).toContain(
    "version: '1.3.0+p.1'\nupstreamVersion: '1.3p1'\nlicense",
  );
  await bump('2.0.0');
  expect(fs.readFileSync(file(), 'utf8')).toContain("version: '2.0.0'\nlicense: MIT\n");
});

test('nothing is written where a source does not come, or where there is nothing to raise', async () => {
  const text = recipe(pathToFileURL(folder).href);
  write(text);
  await expect(bump('1.3')).rejects.toThrow(
    /cannot get demo_1\.3\.orig\.tar\.gz; tried .*missing\/1\.3.*; .*demo-1\.3/,
  );
  await expect(bump('next')).rejects.toThrow('next is no version');
  expect(fs.readFileSync(file(), 'utf8')).toBe(text);
  write("name: demo\nversion: '1.2.0'\nlicense: MIT\n");
  await expect(bump('1.3')).rejects.toThrow('no source names version 1.2.0');
});

test('a list of files, or the page that a recipe names, tells the newest version', async () => {
  const server = http.createServer((request, response) => {
    if (request.url !== '/demo/') response.statusCode = 404;
    response.end(
      '<a href="demo-1.9.tar.gz">a</a> <a href="demo-1.10.tar.gz">b</a> demo-1.10.tar.gz.sig other-3.0.tar.gz',
    );
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const state = async (version: string, at: string): Promise<unknown> => {
      write(
        `name: demo\nversion: '1.9.0'\nupstreamVersion: '${version}'\nlicense: MIT\nsources:\n  - file: demo.tar.gz\n    sha256: ${OLD}\n    from:\n      - url: http://127.0.0.1:${port}${at}/demo-${version}.tar.gz\n`,
      );
      const [found] = await findOutdated([findRecipe(file(), [])], path.join(folder, 'cache'));
      return found;
    };
    expect(await state('1.9', '/demo')).toMatchObject({ version: '1.9', state: 'outdated', newest: '1.10' });
    expect(await state('1.10', '/demo')).toMatchObject({ state: 'current', newest: '1.10' });
    const ruled = async (rule: string): Promise<unknown> => {
      write(`name: demo\nversion: '1.2.0'\nlicense: MIT\nupdate: ${rule}\n`);
      const [found] = await findOutdated([findRecipe(file(), [])], path.join(folder, 'cache'));
      return found;
    };
    const page = `url: 'http://127.0.0.1:${port}/demo/', pattern: 'other-(.*?)\\.tar'`;
    expect(await ruled(`{ ${page} }`)).toMatchObject({ state: 'outdated', newest: '3.0' });
    expect(await ruled(`{ ${page}, ignore: ['3.0'] }`)).toMatchObject({ state: 'unknown' });
    expect(await ruled(`{ url: 'http://127.0.0.1:${port}/demo/', within: '<2' }`)).toMatchObject({
      newest: '1.10',
    });
    expect(await ruled('{ manual: they send letters }')).toMatchObject({
      state: 'unknown',
      reason: 'they send letters',
    });
    expect(await state('1.9', '/gone')).toMatchObject({
      state: 'unknown',
      reason: 'the server answered 404',
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
  write("name: demo\nversion: '1.2.0'\nlicense: MIT\n");
  expect(await findOutdated([findRecipe(file(), [])], folder)).toEqual([
    { name: 'demo', version: '1.2.0', state: 'unknown', reason: 'it is made here' },
  ]);
});

test('tags of a git repository tell the newest version', async () => {
  const git = (...words: readonly string[]): void => {
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...words], { cwd: folder });
  };
  git('init', '-q');
  git('commit', '-q', '--allow-empty', '-m', 'first');
  for (const tag of ['v1.2.0', 'v1.3.0', 'other']) git('tag', tag);
  write(`name: demo\nversion: '1.2.0'\nlicense: MIT\nupdate: { git: '${pathToFileURL(folder).href}' }\n`);
  const [found] = await findOutdated([findRecipe(file(), [])], path.join(folder, 'cache'));
  expect(found).toMatchObject({ state: 'outdated', newest: '1.3.0' });
});

test("a source pinned to one of Debian's versions gets the version and the sum of the newest", async () => {
  const text = (version: string, mapped: string, sum: string): string =>
    `name: netbase\nversion: '${mapped}'\nupstreamVersion: '${version}'\nlicense: GPL-2.0-only\nsources:\n  - file: netbase_${version}_all.deb\n    sha256: ${sum}\n    extract: false\n    from:\n      - debian-binary: netbase\n        version: '${version}'\n`;
  write(text('5.9', '5.9.0', OLD));
  const cacheFolder = fileURLToPath(new URL('../../.cache/icepkg', import.meta.url));
  const shown = await queryApt(['show', 'netbase:all'], cacheFolder);
  const newest = /^Version: (\S+)$/m.exec(shown)?.[1] ?? 'unknown';
  const { sources, to } = await bumpRecipe({ loaded: findRecipe(file(), []), version: newest, cacheFolder });
  expect(sources).toMatchObject([{ file: `netbase_${newest}_all.deb` }]);
  expect(fs.readFileSync(file(), 'utf8')).toBe(text(newest, to, sources[0]?.sha256 ?? ''));
});

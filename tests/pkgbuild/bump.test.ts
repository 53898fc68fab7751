/** Raising recipes, and finding out which could be: sources are local files and a server on this machine. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sha256 } from '#schema/digest';
import { bumpRecipe, type Bumped } from '#pkgbuild/author/bump';
import { findOutdated } from '#pkgbuild/author/outdated';
import { findRecipe } from '#pkgbuild/recipe';
import { queryApt } from '#pkgbuild/sources/debian';
import { icepkg } from '../cli/icepkg.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-bump-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const OLD = 'ab'.repeat(32);
const recipeFile = (): string => path.join(folder, 'recipe.yaml');
const write = (text: string): void => fs.writeFileSync(recipeFile(), text);
const bump = (version: string): Promise<Bumped> =>
  bumpRecipe({ loaded: findRecipe(recipeFile(), []), version, cacheFolder: path.join(folder, 'cache') });

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
    file: recipeFile(),
    from: '1.2.0',
    to: '1.3.0',
    sources: [{ file: 'demo_1.3.orig.tar.gz', sha256: sum }],
    mentions: [14],
  });
  expect(fs.readFileSync(recipeFile(), 'utf8')).toBe(
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
  expect(fs.readFileSync(recipeFile(), 'utf8')).toContain(
    "version: '1.3.0+p.1'\nupstreamVersion: '1.3p1'\nlicense",
  );
  await bump('2.0.0');
  expect(fs.readFileSync(recipeFile(), 'utf8')).toContain("version: '2.0.0'\nlicense: MIT\n");
});

test('nothing is written where a source does not come, or where there is nothing to raise', async () => {
  const text = recipe(pathToFileURL(folder).href);
  write(text);
  await expect(bump('1.3')).rejects.toThrow(
    /cannot get demo_1\.3\.orig\.tar\.gz; tried .*missing\/1\.3.*; .*demo-1\.3/,
  );
  await expect(bump('next')).rejects.toThrow('next is no version');
  expect(fs.readFileSync(recipeFile(), 'utf8')).toBe(text);
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
      const [found] = await findOutdated([findRecipe(recipeFile(), [])], path.join(folder, 'cache'));
      return found;
    };
    expect(await state('1.9', '/demo')).toMatchObject({ version: '1.9', state: 'outdated', newest: '1.10' });
    expect(await state('1.10', '/demo')).toMatchObject({ state: 'current', newest: '1.10' });
    const ruled = async (rule: string): Promise<unknown> => {
      write(`name: demo\nversion: '1.2.0'\nlicense: MIT\nupdate: ${rule}\n`);
      const [found] = await findOutdated([findRecipe(recipeFile(), [])], path.join(folder, 'cache'));
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
  expect(await findOutdated([findRecipe(recipeFile(), [])], folder)).toEqual([
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
  const [found] = await findOutdated([findRecipe(recipeFile(), [])], path.join(folder, 'cache'));
  expect(found).toMatchObject({ state: 'outdated', newest: '1.3.0' });
});

/** A repository with a commit for each tag. */
function taggedRepository(at: string, tags: readonly string[]): Map<string, string> {
  fs.mkdirSync(at, { recursive: true });
  const git = (...words: readonly string[]): string =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...words], {
      cwd: at,
      encoding: 'utf8',
    }).trim();
  git('init', '-q');
  return new Map(
    tags.map((tag, index) => {
      fs.writeFileSync(path.join(at, 'version'), tag);
      git('add', 'version');
      git('commit', '-q', '-m', tag);
      // Every other tag is an object of its own, whose name is not that of the commit.
      git('tag', ...(index % 2 === 0 ? ['-a', '-m', tag] : []), tag);
      return [tag, git('rev-parse', 'HEAD')];
    }),
  );
}

const gitRecipe = (url: string, version: string, [file, sum, commit]: readonly string[]): string =>
  `name: demo\nversion: '${version}'\nlicense: MIT\nsources:\n  - file: ${file}\n    sha256: ${sum}\n    from:\n      - git: ${url}\n        commit: '${commit}'\n`;

const MOVES = [
  { before: 'v1.2.0', after: 'v1.3.0', version: '1.3.0', file: 'demo-1.2.0.tar', wanted: 'demo-1.3.0.tar' },
  { before: 'release_1_2_0', after: 'release_1_3_0', version: '1.3.0', file: 'demo.tar', wanted: 'demo.tar' },
  { before: 'demo-1.2', after: 'demo-1.3', version: '1.3', file: 'demo-1.2.tar', wanted: 'demo-1.3.tar' },
];

test.each(MOVES)('a commit moves from the tag $before to $after', async (move) => {
  const { before, after, version, file, wanted } = move;
  const at = path.join(folder, 'git');
  const commits = taggedRepository(at, [before, 'v0.1.3.0', after, `${after}.1`, 'other']);
  const url = pathToFileURL(at).href;
  write(gitRecipe(url, '1.2.0', [file, OLD, commits.get(before) ?? '']));
  const { sources } = await bump(version);
  expect(sources).toMatchObject([{ file: wanted }]);
  const sum = sources[0]?.sha256 ?? '';
  const text = fs.readFileSync(path.join(folder, 'recipe.yaml'), 'utf8');
  expect(text.replace("upstreamVersion: '1.3'\n", '')).toBe(
    gitRecipe(url, '1.3.0', [wanted, sum, commits.get(after) ?? '']),
  );
  const tar = path.join(folder, 'cache/sources', `${sum}-${wanted}`);
  expect(execFileSync('tar', ['-xOf', tar, 'source/version'], { encoding: 'utf8' })).toBe(after);
  const [state] = await findOutdated([findRecipe(recipeFile(), [])], path.join(folder, 'cache'));
  expect(state).toMatchObject({ asked: url });
});

test('a repository without a tag of the version says which it has', async () => {
  const at = path.join(folder, 'git');
  const commits = taggedRepository(at, ['v1.2.0', 'v1.4.0']);
  const text = gitRecipe(pathToFileURL(at).href, '1.2.0', ['demo.tar', OLD, commits.get('v1.2.0') ?? '']);
  write(text);
  await expect(bump('1.3.0')).rejects.toMatchObject({
    message: expect.stringMatching(/git: has no tag for version 1\.3\.0$/),
    hint: 'Its last tags are v1.2.0, v1.4.0',
  });
  await expect(bump('1.2.0')).rejects.toThrow('is at version 1.2.0 already');
  expect(fs.readFileSync(recipeFile(), 'utf8')).toBe(text);
  // A repository that is pinned to no version belongs to something else.
  write(text.replace(/commit: '.*'/, `commit: '${commits.get('v1.4.0') ?? ''}'`));
  await expect(bump('1.3.0')).rejects.toThrow('no source names version 1.2.0');
});

test('a package of npm comes from the registry that npm is set up for', async () => {
  fs.mkdirSync(path.join(folder, 'package'));
  fs.writeFileSync(path.join(folder, 'package/package.json'), '{"name":"demo","version":"1.3.0"}');
  const tarball = gzipSync(execFileSync('tar', ['-C', folder, '-cf', '-', 'package']));
  const server = http.createServer((request, response) => {
    if (request.url === '/demo.tgz') return response.end(tarball);
    const dist = { tarball: `http://${request.headers.host ?? ''}/demo.tgz` };
    const versions = ['1.2.0', '1.3.0', '2.0.0', '3.0.0-rc.1'].map((version) => [
      version,
      { name: 'demo', version, dist },
    ]);
    return response.end(
      JSON.stringify({
        name: 'demo',
        'dist-tags': { latest: '2.0.0' },
        versions: Object.fromEntries(versions) as unknown,
      }),
    );
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  vi.stubEnv('npm_config_registry', `http://127.0.0.1:${port}/`);
  const text = (version: string, sum: string): string =>
    `name: demo\nversion: '${version}'\nlicense: MIT\nsources:\n  - npm: demo\n    version: ${version}\n    sha256: ${sum}\n  - { npm: helper, version: 4.0.0, sha256: ${OLD} }\n`;
  const newest = async (more: string): Promise<unknown> => {
    write(text('1.2.0', OLD) + more);
    return (await findOutdated([findRecipe(recipeFile(), [])], path.join(folder, 'cache')))[0];
  };
  try {
    expect(await newest('')).toMatchObject({ state: 'outdated', newest: '2.0.0', asked: 'npm demo' });
    expect(await newest('update: { within: ^1 }\n')).toMatchObject({ newest: '1.3.0' });
    write(text('1.2.0', OLD));
    expect((await bump('1.3.0')).sources).toEqual([{ file: 'demo-1.3.0.tgz', sha256: sha256(tarball) }]);
    expect(fs.readFileSync(recipeFile(), 'utf8')).toBe(text('1.3.0', sha256(tarball)));
    await expect(bump('9.9.9')).rejects.toThrow('npm pack demo@9.9.9 failed');
  } finally {
    vi.unstubAllEnvs();
    server.closeAllConnections();
    server.close();
  }
});

test('what is made beside the recipe has nothing to fetch', async () => {
  write("name: demo\nversion: '1.2.0'\nlicense: MIT\nsources: [{ path: src }, { path: demo.conf }]\n");
  await expect(bump('1.3.0')).rejects.toMatchObject({
    message: expect.stringMatching(/its sources lie beside it \(src, demo\.conf\)$/),
    hint: 'There is nothing to fetch: change them, then write the new version and leave release out',
  });
});

test("a source pinned to one of Debian's versions gets the version and the sum of the newest", async () => {
  const text = (version: string, mapped: string, sum: string): string =>
    `name: netbase\nversion: '${mapped}'\nupstreamVersion: '${version}'\nlicense: GPL-2.0-only\nsources:\n  - file: netbase_${version}_all.deb\n    sha256: ${sum}\n    extract: false\n    from:\n      - debian-binary: netbase\n        version: '${version}'\n`;
  write(text('5.9', '5.9.0', OLD));
  const cacheFolder = fileURLToPath(new URL('../../.cache/icepkg', import.meta.url));
  const shown = await queryApt(['show', 'netbase:all'], cacheFolder);
  const newest = /^Version: (\S+)$/m.exec(shown)?.[1] ?? 'unknown';
  const { sources, to } = await bumpRecipe({
    loaded: findRecipe(recipeFile(), []),
    version: newest,
    cacheFolder,
  });
  expect(sources).toMatchObject([{ file: `netbase_${newest}_all.deb` }]);
  expect(fs.readFileSync(recipeFile(), 'utf8')).toBe(text(newest, to, sources[0]?.sha256 ?? ''));
});

test('the command shows each recipe that is named, and takes a name after a folder for a recipe', () => {
  const home = path.join(folder, 'recipes/demo');
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(
    path.join(home, 'recipe.yaml'),
    "name: demo\nversion: '1.2.0'\nlicense: MIT\nupdate: { manual: they send letters }\n",
  );
  const outdated = (...words: readonly string[]): string =>
    icepkg(['recipe', 'outdated', '--recipes', path.join(folder, 'recipes'), ...words]).stdout;
  expect(outdated('demo')).toBe(
    'demo  1.2.0  unknown  they send letters\n0 outdated, 0 current, 1 unknown\n',
  );
  expect(outdated()).toBe('0 outdated, 0 current, 1 unknown\n');
});

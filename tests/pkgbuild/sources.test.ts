/** Every kind of source, from local files and servers of this machine. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '#schema/digest';
import { compareVersions, parseVersion } from '#schema/version';
import { parseRecipe } from '#pkgbuild/recipe';
import { fetchSource } from '#pkgbuild/sources/cache';
import { readDebianCopyright } from '#pkgbuild/sources/debian-copyright';
import { mapDebianVersion } from '#pkgbuild/sources/debian-version';
import { fetchedFiles, resolveSources, type FetchedFile } from '#pkgbuild/sources/resolve';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-sources-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const at = (...names: string[]): string => path.join(folder, ...names);
const cache = (): string => at('cache');

/** The sources of a recipe that has nothing else, as they are for one architecture. */
function sourcesOf(yaml: string, arch: 'x86_64' | 'aarch64' | 'noarch' = 'x86_64'): FetchedFile[] {
  const recipe = parseRecipe(`name: test\nversion: "1.0.0"\nlicense: MIT\nsources:\n${yaml}`, 'recipe.yaml');
  return fetchedFiles(resolveSources(recipe.sources, arch));
}
const [ONE_SUM, OTHER_SUM] = ['a'.repeat(64), 'b'.repeat(64)];
async function fetchOnly(yaml: string): Promise<string> {
  const [source] = sourcesOf(yaml);
  if (source === undefined) throw new Error('no source');
  return fetchSource(source, cache());
}

describe('url', () => {
  test('the first mirror that has the file wins', async () => {
    fs.writeFileSync(at('there'), 'content');
    const from = `from: [{url: "file://${at('gone')}"}, {url: "file://${at('there')}"}]`;
    const file = await fetchOnly(`  - {file: a.txt, sha256: ${sha256('content')}, ${from}}`);
    expect(fs.readFileSync(file, 'utf8')).toBe('content');
    fs.rmSync(at('there'));
    expect(await fetchOnly(`  - {file: a.txt, sha256: ${sha256('content')}, ${from}}`)).toBe(file);
  });

  test('a wrong sum shows both and keeps the file aside', async () => {
    fs.writeFileSync(at('there'), 'content');
    const yaml = (sum: string): string =>
      `  - {file: a.txt, sha256: ${sum}, from: [{url: "file://${at('there')}"}]}`;
    const aside = path.join(cache(), 'sources/wrong', `${sha256('content')}-a.txt`);
    const failure = await fetchOnly(yaml(OTHER_SUM)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'source-failed' });
    const { message } = failure as Error;
    for (const part of [OTHER_SUM, sha256('content'), aside]) expect(message).toContain(part);
    expect(fs.readFileSync(aside, 'utf8')).toBe('content');
    // Once the recipe names that sum, the file need not be fetched again.
    fs.rmSync(at('there'));
    expect(fs.readFileSync(await fetchOnly(yaml(sha256('content'))), 'utf8')).toBe('content');
    expect(fs.existsSync(aside)).toBe(false);
  });
});

describe('git', () => {
  function repository(): { url: string; commit: string; git: (...args: string[]) => string } {
    const home = at('repository');
    fs.mkdirSync(home);
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', home, '-c', 'user.name=a', '-c', 'user.email=a@localhost', ...args], {
        encoding: 'utf8',
      }).trim();
    git('init', '-q', '-b', 'main');
    fs.writeFileSync(path.join(home, 'version'), '$Format:%H$\r\n');
    fs.writeFileSync(path.join(home, 'hidden'), 'there too');
    fs.writeFileSync(path.join(home, '.gitattributes'), 'version export-subst text\nhidden export-ignore\n');
    git('-c', 'core.autocrlf=false', 'add', '.');
    git('commit', '-q', '-m', 'first');
    const commit = git('rev-parse', 'HEAD');
    fs.writeFileSync(path.join(home, 'version'), 'later');
    git('commit', '-q', '-a', '-m', 'second');
    return { url: `file://${home}`, commit, git };
  }

  test('one commit becomes the same tar every time, whatever its attributes ask for', async () => {
    const { url, commit } = repository();
    const yaml = (sum: string): string =>
      `  - {file: a.tar, sha256: ${sum}, from: [{git: "${url}", commit: "${commit}"}]}`;
    const failure = await fetchOnly(yaml(ONE_SUM)).catch((error: unknown) => error as Error);
    const sum = /has the sha256 ([0-9a-f]{64})/.exec((failure as Error).message)?.[1] ?? '';
    fs.rmSync(cache(), { recursive: true });
    const file = await fetchOnly(yaml(sum));
    const read = (name: string): string => execFileSync('tar', ['-xOf', file, name], { encoding: 'utf8' });
    expect(execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).trim().split('\n').sort()).toEqual([
      'source/',
      'source/.gitattributes',
      'source/hidden',
      'source/version',
    ]);
    expect(read('source/version')).toMatch(/^\$Format:%H\$\r?\n$/);
    expect(fs.readdirSync(path.join(cache(), 'sources'))).toEqual([path.basename(file)]);
  });

  test('a commit that is not there, and no repository, are named', async () => {
    const { url } = repository();
    const missing = 'ab'.repeat(20);
    await expect(
      fetchOnly(`  - {file: a.tar, sha256: ${ONE_SUM}, from: [{git: "${url}", commit: "${missing}"}]}`),
    ).rejects.toThrow(`the repository has no commit ${missing}`);
    await expect(
      fetchOnly(`  - {file: a.tar, sha256: ${ONE_SUM}, from: [{git: "${url}x", commit: "${missing}"}]}`),
    ).rejects.toThrow('git fetch failed');
  });

  test('a branch is no pin', () => {
    const yaml = `  - {file: a.tar, sha256: ${ONE_SUM}, from: [{git: "https://example.org/a", commit: main}]}`;
    expect(() => sourcesOf(yaml)).toThrow('expected a whole commit: 40 hex digits');
  });
});

describe('npm', () => {
  test('a tarball comes from the registry that npm is set up for', async () => {
    fs.mkdirSync(at('package'));
    fs.writeFileSync(
      at('package/package.json'),
      '{"name":"a","version":"1.2.3","scripts":{"prepack":"exit 1"}}',
    );
    const tarball = gzipSync(execFileSync('tar', ['-C', folder, '-cf', '-', 'package']));
    const server = http.createServer((request, response) => {
      if (request.url === '/a.tgz') response.end(tarball);
      else {
        const dist = { tarball: `http://${request.headers.host}/a.tgz` };
        response.end(
          JSON.stringify({ name: 'a', versions: { '1.2.3': { name: 'a', version: '1.2.3', dist } } }),
        );
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const before = process.env['npm_config_registry'];
    process.env['npm_config_registry'] = `http://127.0.0.1:${port}/`;
    try {
      const file = await fetchOnly(`  - {npm: a, version: "1.2.3", sha256: ${sha256(tarball)}}`);
      expect(path.basename(file)).toBe(`${sha256(tarball)}-a-1.2.3.tgz`);
      await expect(fetchOnly(`  - {npm: a, version: "1.2.4", sha256: ${ONE_SUM}}`)).rejects.toThrow(
        'npm pack a@1.2.4 failed',
      );
    } finally {
      if (before === undefined) delete process.env['npm_config_registry'];
      else process.env['npm_config_registry'] = before;
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe('by architecture', () => {
  const DEB = `  - {deb: libc6, version: "2:1.0-1", sha256: {x86_64: ${OTHER_SUM}}}\n  - {npm: b, version: "1.0.0", sha256: ${ONE_SUM}, arch: aarch64}`;

  test('each architecture has its sums, and sources of its own', () => {
    expect(sourcesOf(DEB)).toEqual([
      {
        kind: 'deb',
        file: 'libc6_1.0-1_amd64.deb',
        sha256: OTHER_SUM,
        from: [{ deb: 'libc6', version: '2:1.0-1', debianArch: 'amd64' }],
        extract: true,
        into: undefined,
      },
    ]);
  });

  test('a sum that is missing is asked for', () => {
    expect(() => sourcesOf(DEB, 'aarch64')).toThrow('deb: libc6 has no sha256 for aarch64');
    expect(() => sourcesOf(DEB, 'noarch')).toThrow('deb: libc6 has no sha256 for noarch');
  });
});

describe('what an author gets wrong', () => {
  test.each([
    ['- {file: a, sha: x, from: [{debian: a}]}', 'unknown field sources[0].sha'],
    [`- {deb: a, verison: "1", sha256: ${ONE_SUM}}`, 'unknown field sources[0].verison'],
    [`- {npm: a, version: latest, sha256: ${ONE_SUM}}`, 'expected a whole version'],
    [`- {file: a, sha256: ${ONE_SUM}, from: [{url: "ftp://x/y"}]}`, 'expected an http, https or file URL'],
    [
      `- {file: a, sha256: ${ONE_SUM}, from: [{git: "ext::sh", commit: "${'c'.repeat(40)}"}]}`,
      'expected an https, http, ssh, git or file URL',
    ],
    ['- {path: ../../../up}', 'one that begins with ../ or ../../'],
  ])('%s', (yaml, message) => {
    expect(() => sourcesOf(`  ${yaml}`)).toThrow(message);
  });
});

describe("Debian's versions", () => {
  test.each([
    ['2.36-9+deb12u14', '2.36.0'],
    ['2:6.2.1+dfsg1-1.1', '6.2.1+dfsg.1'],
    ['2026f-0+deb12u1', '2026.0.0+f'],
    ['252.39-1~deb12u2', '252.39.0'],
    ['2.13.1.1-1', '2.13.1+1'],
    ['1:9.2p1-2+deb12u7', '9.2.0+p.1'],
    ['3.1-20221030-2', '3.1.0+20221030'],
    ['3:6.04~git20190206.bf6db5b4+dfsg1-3', '6.4.0-git.20190206.bf6db5b4+dfsg.1'],
    ['1.0~rc010-1', '1.0.0-rc.10'],
    ['0.20190101120000123-1', '0.0.0+20190101120000123'],
    ['20230311+deb12u1', '20230311.0.0+deb.12.u.1'],
  ])('%s is %s', (debian, version) => {
    expect(mapDebianVersion(debian)).toEqual({ version, upstreamVersion: debian });
  });

  test('real ones all have a semantic version, and their order is kept', () => {
    const file = new URL('debian-versions.txt', import.meta.url);
    // Sorted as dpkg does, disregarding epoch and revision.
    const listed = fs.readFileSync(file, 'utf8').trim().split('\n');
    const versions = listed.map((text) => parseVersion(`${mapDebianVersion(text)?.version}-r0`));
    expect(listed.filter((_, index) => versions[index] === undefined)).toEqual([]);
    const turned = versions.filter((version, index) => {
      const before = versions[index - 1];
      return before !== undefined && version !== undefined && compareVersions(before, version) > 0;
    });
    // Different programs name their snapshots differently, and those cannot all be compared.
    expect(turned.length / listed.length).toBeLessThan(0.08);
  });

  test.each(['', 'abc', '-1', '1:', '1 2', '1.0_1'])('%j is none', (text) => {
    expect(mapDebianVersion(text)).toBeUndefined();
  });
});

describe("Debian's licences", () => {
  const FORMAT = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n';
  const stanza = (files: string, license: string): string =>
    `\nFiles: ${files}\nCopyright: somebody\nLicense: ${license}\n text of it\n`;

  test('short names become an SPDX expression', () => {
    const text = [
      FORMAT,
      stanza('*', 'GPL-2+'),
      stanza('lib/*', 'LGPL-2.1+ or Expat'),
      stanza('doc/*', 'BSD-3-clause, and GPL-2 or ISC'),
      stanza('odd/*', 'Custom Thing'),
      stanza('debian/*', 'Apache-2.0'),
    ].join('');
    expect(readDebianCopyright(text)).toEqual({
      expression:
        '(BSD-3-Clause AND (GPL-2.0-only OR ISC)) AND GPL-2.0-or-later AND (LGPL-2.1-or-later OR MIT) AND LicenseRef-Custom-Thing',
      unmapped: ['Custom Thing'],
    });
  });

  test('prose says nothing', () => {
    expect(readDebianCopyright('This package was debianized by hand.\n')).toEqual({
      expression: undefined,
      unmapped: [],
    });
  });
});

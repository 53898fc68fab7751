/** Debian packages made by hand, through the builder into packages of ours. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readHeader } from '#schema/container/read';
import { IcepkgError } from '#schema/error';
import type { Manifest } from '#schema/manifest';
import { buildRecipes } from '#pkgbuild/build';
import { sha256File } from '#pkgbuild/sources/cache';
import { readDeb } from '#pkgbuild/sources/deb-file';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-deb-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));
const at = (...names: string[]): string => path.join(folder, ...names);

interface Deb {
  readonly control?: Readonly<Record<string, string>>;
  /** Shell that fills the current folder with what is installed. */
  readonly files?: string;
  readonly compression?: 'xz' | 'gz' | 'zst';
  /** More words for the `tar` that makes `data.tar`. */
  readonly tar?: readonly string[];
}

/** Makes `hello_1.2.3-4_all.deb` and returns its path. */
function makeDeb({ control = {}, files = ':', compression = 'xz', tar = ['.'] }: Deb = {}): string {
  const deb = at('hello_1.2.3-4_all.deb');
  const text = 'Package: hello\nVersion: 1.2.3-4\nArchitecture: all\nDescription: greets\n more of it\n';
  fs.rmSync(at('deb'), { recursive: true, force: true });
  fs.rmSync(deb, { force: true });
  for (const name of ['deb/control', 'deb/data']) fs.mkdirSync(at(name), { recursive: true });
  for (const [name, content] of Object.entries({ control: text, ...control }))
    fs.writeFileSync(at('deb/control', name), content);
  execFileSync('sh', ['-eu', '-c', files], { cwd: at('deb/data') });
  const pack = (member: string, from: string, words: readonly string[]): void => {
    execFileSync('tar', ['-C', from, '-caf', at('deb', member), ...words]);
  };
  pack(`control.tar.${compression}`, at('deb/control'), ['.']);
  pack(`data.tar.${compression}`, at('deb/data'), tar);
  fs.writeFileSync(at('deb/debian-binary'), '2.0\n');
  const members = ['debian-binary', `control.tar.${compression}`, `data.tar.${compression}`];
  execFileSync('ar', ['rcD', deb, ...members], { cwd: at('deb') });
  return deb;
}

/** Builds a recipe whose only source is the package; `more` lines are added to the recipe, `source` to the source. */
async function repackage(deb: string, more = '', source = ''): Promise<{ manifest: Manifest; log: string }> {
  const home = at('recipes/hello');
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(
    path.join(home, 'recipe.yaml'),
    `name: hello
version: "1.2.3"
license: MIT
arch: noarch
sources:
  - deb: hello
    version: 1.2.3-4
    sha256: ${sha256File(deb)}
    from: [{url: "file://${deb}"}]
${source}
${more}
`,
  );
  // As if it had been fetched, so that no mirror is asked.
  fs.mkdirSync(at('cache/sources'), { recursive: true });
  fs.copyFileSync(deb, at('cache/sources', `${sha256File(deb)}-${path.basename(deb)}`));
  await buildRecipes(buildRequest(folder, ['hello']));
  return {
    manifest: readHeader(at('out/hello-1.2.3-r0.noarch.icepkg'), 'hello').manifest,
    log: fs.readFileSync(at('cache/logs/hello-1.2.3-r0.noarch.log'), 'utf8'),
  };
}
const paths = (manifest: Manifest): string[] =>
  manifest.files.filter(({ type }) => type !== 'directory').map((entry) => entry.path);

const HELLO = {
  control: { conffiles: '/etc/hello.conf\n', postinst: '#!/bin/sh\ntouch /installed\n' },
  files: `mkdir -p usr/bin etc usr/share/doc/hello usr/share/lintian/overrides usr/share/man/man1
echo hello > usr/bin/hello; chmod 755 usr/bin/hello
echo a=1 > etc/hello.conf
echo page > usr/share/man/man1/hello.1
echo changes > usr/share/doc/hello/changelog
echo override > usr/share/lintian/overrides/hello
printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\\n\\nFiles: *\\nLicense: Expat\\n' > usr/share/doc/hello/copyright`,
};

describe('a Debian package', () => {
  test.each(['xz', 'gz', 'zst'] as const)(
    'packed by %s becomes one of ours, without its scripts',
    async (compression) => {
      const { manifest, log } = await repackage(makeDeb({ ...HELLO, compression }));
      expect(paths(manifest)).toEqual([
        'etc/hello.conf',
        'usr/bin/hello',
        'usr/share/licenses/hello/copyright-hello',
      ]);
      expect(manifest.files.filter((entry) => entry.type === 'file' && entry.config === true)).toMatchObject([
        { path: 'etc/hello.conf' },
      ]);
      expect(manifest.provides).toEqual(['cmd:hello']);
      expect(log).toContain('hello 1.2.3-4: its postinst are not run');
      expect(log).toContain('hello: licence by its copyright file: MIT');
    },
  );

  test('is taken in parts, or put aside for the steps', async () => {
    const deb = makeDeb(HELLO);
    const some = await repackage(deb, '', '    extract: {only: [usr/bin]}');
    expect(paths(some.manifest)).toEqual(['usr/bin/hello', 'usr/share/licenses/hello/copyright-hello']);
    const less = await repackage(deb, '', '    extract: {except: [etc, usr/share/man]}');
    expect(paths(less.manifest)).toEqual(['usr/bin/hello', 'usr/share/licenses/hello/copyright-hello']);
    const aside = await repackage(
      deb,
      'install: install -D hello-deb/usr/bin/hello "$DESTDIR/bin/greet"',
      '    into: hello-deb',
    );
    expect(paths(aside.manifest)).toEqual(['bin/greet', 'usr/share/licenses/hello/copyright-hello']);
  });

  test('of another version than the recipe says is refused', async () => {
    const control = { control: 'Package: hello\nVersion: 1:1.2.4~rc1-1\n' };
    await expect(repackage(makeDeb({ control }))).rejects.toMatchObject({
      message: 'hello says version 1.2.3, but its first source is hello 1:1.2.4~rc1-1, which is 1.2.4-rc.1',
      hint: expect.stringContaining("version: '1.2.4-rc.1'") as string,
    });
  });
});

describe('a hostile Debian package', () => {
  test.each([
    ['climbs', 'echo x > evil', ['--transform=s,^evil,../../../../../../tmp/ICEPKG,', 'evil']],
    ['is absolute', 'echo x > evil', ['-P', '--transform=s,^evil,/tmp/ICEPKG,', 'evil']],
    [
      'writes through its own link',
      'ln -s /tmp link; mkdir real; echo x > real/ICEPKG',
      ['link', '--transform=s,^real,link,', 'real/ICEPKG'],
    ],
  ])('that %s leaves nothing outside', async (_, files, tar) => {
    const name = `${path.basename(folder)}-escaped`;
    const words = tar.map((word) => word.replaceAll('ICEPKG', name));
    const deb = makeDeb({ files: files.replaceAll('ICEPKG', name), tar: words });
    // What lands inside instead is a strange package; that it may be.
    await repackage(deb).catch((error: unknown) => expect(error).toBeInstanceOf(IcepkgError));
    for (const outside of ['/tmp', os.tmpdir(), '/'])
      expect(fs.readdirSync(outside).filter((entry) => entry.includes(name))).toEqual([]);
  });

  test('whose control archive is damaged is named', () => {
    const deb = makeDeb();
    const bytes = fs.readFileSync(deb);
    for (let length = 0; length < 300; length += 13) {
      fs.writeFileSync(at('cut.deb'), bytes.subarray(0, length));
      expect(() => readDeb(at('cut.deb'))).toThrow(`${at('cut.deb')} is no Debian package`);
    }
    expect(() => readDeb(makeDeb({ control: { conffiles: '/../../etc/passwd\n' } }))).toThrow(
      'names the configuration file "../../etc/passwd"',
    );
  });
});

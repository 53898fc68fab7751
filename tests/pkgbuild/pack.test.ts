import * as fs from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readHeader } from '#schema/container/read';
import { verifyPackage } from '#schema/container/verify';
import { IcepkgError } from '#schema/error';
import { encodePublicKey, generateKey } from '#schema/keys';
import { verifyManifest } from '#schema/signature';
import { defaultEpoch, packFolders, pairJobs, type PackOptions } from '#pkgbuild/pack';
import { canRunAsNobody, icepkg, NOBODY } from '../cli/icepkg.ts';

const isRoot = process.getuid?.() === 0;

let folder: string;
let tree: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'icepkg-pack-'));
  tree = join(folder, 'tree');
  fs.mkdirSync(tree);
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Writes files below the tree; directories above them are made. Modes do not depend on the umask. */
function hold(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const file = join(tree, path);
    fs.mkdirSync(join(file, '..'), { recursive: true, mode: 0o755 });
    fs.writeFileSync(file, text);
    fs.chmodSync(file, path.includes('bin/') ? 0o755 : 0o644);
  }
}

const base = "name: hello\nversion: '1.0.0-r0'\narch: noarch\n";

function pack(manifest: string, options: Partial<PackOptions> = {}): ReturnType<typeof packFolders> {
  const file = join(folder, 'hello.yaml');
  fs.writeFileSync(file, manifest);
  return packFolders([{ folder: tree, manifest: file }], {
    output: join(folder, 'out'),
    codec: 'zstd',
    level: 1,
    keys: [],
    epoch: 1_700_000_000,
    ...options,
  });
}

async function manifestOf(text: string): Promise<ReturnType<typeof verifyPackage>['header']['manifest']> {
  const [packed] = await pack(text);
  return verifyPackage(packed?.file ?? '').header.manifest;
}

async function refused(text: string): Promise<{ message: string; hint: string | undefined; code: string }> {
  try {
    await pack(text);
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    expect(fs.existsSync(join(folder, 'out')) ? fs.readdirSync(join(folder, 'out')) : []).toEqual([]);
    return { message: error.message.replaceAll(`${folder}/`, ''), hint: error.hint, code: error.code };
  }
  throw new Error('the folder was packed');
}

describe('a packed folder', () => {
  test('carries everything that the manifest file says', async () => {
    hold({ 'etc/hello.conf': 'x\n', 'usr/bin/hello': 'code' });
    const manifest = await manifestOf(`
name: hello
version: 1.2.3
release: 4
arch: x86_64
description: Greets
license: MIT
url: https://example.org/
maintainer: Somebody <a@example.org>
upstreamVersion: 2024a
origin: greetings
buildTime: 12
depends: [zlib@^1.2, a | b@^2, '!bye@<2']
recommends: [more]
provides: [cmd:hello, greeter@=1.2.3]
providerPriority: 7
replaces: [old-hello@<1]
installIf: [nginx, init-dinit]
users: [{name: hello, uid: 100, group: hello, groups: [adm], gecos: Hello, home: /var, shell: /bin/false}]
groups: [{name: hello, gid: 100}]
alternatives: [{link: usr/bin/greet, target: hello, priority: 10}]
services: [{name: hello, command: [/usr/bin/hello, -d], description: D, user: hello, environment: {A: b}, after: [net], restart: always, enable: true}]
scripts: {preInstall: a, postInstall: b, preUpgrade: c, postUpgrade: d, preRemove: e, postRemove: f}
configFiles: [etc/*.conf]
`);
    expect(manifest).toMatchObject({
      name: 'hello',
      version: '1.2.3-r4',
      arch: 'x86_64',
      description: 'Greets',
      license: 'MIT',
      url: 'https://example.org/',
      maintainer: 'Somebody <a@example.org>',
      upstreamVersion: '2024a',
      origin: 'greetings',
      buildTime: 12,
      depends: ['zlib@^1.2', 'a | b@^2', '!bye@<2'],
      recommends: ['more'],
      provides: ['cmd:hello', 'greeter@=1.2.3'],
      providerPriority: 7,
      replaces: ['old-hello@<1'],
      installIf: ['nginx', 'init-dinit'],
      users: [
        { name: 'hello', uid: 100, group: 'hello', groups: ['adm'], home: '/var', shell: '/bin/false' },
      ],
      groups: [{ name: 'hello', gid: 100 }],
      alternatives: [{ link: 'usr/bin/greet', target: 'hello', priority: 10 }],
      services: [{ name: 'hello', command: ['/usr/bin/hello', '-d'], environment: { A: 'b' }, enable: true }],
      scripts: { preInstall: 'a', postRemove: 'f' },
    });
    expect(manifest.files.map((file) => [file.path, 'config' in file && file.config])).toEqual([
      ['etc', false],
      ['etc/hello.conf', true],
      ['usr', false],
      ['usr/bin', false],
      ['usr/bin/hello', false],
    ]);
  });

  test('has owners, modes and attributes by rules, later ones first, field by field', async () => {
    hold({ 'srv/a': 'a', 'srv/sub/b': 'b', 'usr/bin/ping': 'p' });
    const manifest = await manifestOf(`${base}
owners:
  - {path: '**', type: directory, mode: '0750'}
  - {path: 'srv/**', user: www, uid: 33, mode: '0600', type: file}
  - {path: srv/sub/b, group: adm, mode: '4711'}
  - {path: usr/bin/ping, capabilities: cap_net_raw+ep, xattrs: {user.text: hi, user.hex: '0x00ff', user.base64: 0saGk=}}
`);
    const at = (path: string): unknown => manifest.files.find((file) => file.path === path);
    expect(at('srv')).toMatchObject({ mode: 0o750 });
    expect(at('srv')).not.toHaveProperty('user');
    expect(at('srv/a')).toMatchObject({ user: 'www', uid: 33, mode: 0o600 });
    expect(at('srv/sub/b')).toMatchObject({ user: 'www', group: 'adm', mode: 0o4711 });
    expect(at('usr/bin/ping')).toMatchObject({
      xattrs: {
        'security.capability': 'AQAAAgAgAAAAAAAAAAAAAAAAAAA=',
        'user.text': 'aGk=',
        'user.hex': 'AP8=',
        'user.base64': 'aGk=',
      },
    });
  });

  test('holds what the manifest file adds, and the directories above that', async () => {
    hold({ 'usr/bin/vim': 'v' });
    const manifest = await manifestOf(`${base}
owners: [{path: 'dev/**', mode: '0640'}]
entries:
  - {type: character-device, path: dev/null, major: 1, minor: 3, mode: '0666'}
  - {type: block-device, path: dev/loop0, major: 7, minor: 0, user: root, group: disk}
  - {type: fifo, path: run/pipe}
  - {type: directory, path: var/lib/hello, user: hello, mode: '0750'}
  - {type: symlink, path: etc/mtab, target: ../proc/mounts, uid: 5}
  - {type: hardlink, path: usr/bin/vi, target: usr/bin/vim}
  - {type: hardlink, path: usr/bin/view, target: usr/bin/vi}
`);
    expect(manifest.files).toEqual(
      [
        { type: 'directory', path: 'dev', mode: 0o755 },
        {
          type: 'block-device',
          path: 'dev/loop0',
          mode: 0o640,
          user: 'root',
          group: 'disk',
          major: 7,
          minor: 0,
        },
        { type: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
        { type: 'directory', path: 'etc', mode: 0o755 },
        { type: 'symlink', path: 'etc/mtab', target: '../proc/mounts', uid: 5 },
        { type: 'directory', path: 'run', mode: 0o755 },
        { type: 'fifo', path: 'run/pipe', mode: 0o600 },
        { type: 'directory', path: 'usr', mode: 0o755 },
        { type: 'directory', path: 'usr/bin', mode: 0o755 },
        expect.objectContaining({ type: 'file', path: 'usr/bin/vi', size: 1 }),
        { type: 'hardlink', path: 'usr/bin/view', target: 'usr/bin/vi' },
        { type: 'hardlink', path: 'usr/bin/vim', target: 'usr/bin/vi' },
        { type: 'directory', path: 'var', mode: 0o755 },
        { type: 'directory', path: 'var/lib', mode: 0o755 },
        { type: 'directory', path: 'var/lib/hello', mode: 0o750, user: 'hello' },
      ].sort((a, b) => (a.path < b.path ? -1 : 1)),
    );
  });

  test('keeps links, fifos, and names that a shell would trip over', async () => {
    const odd = ['$(touch x)', '-rf', 'it\'s; a "name" | &', ' space ', '*?[a]', 'back\\slash', 'ünï-日本'];
    hold(Object.fromEntries(odd.map((name) => [`srv/${name}`, name])));
    fs.linkSync(join(tree, 'srv/-rf'), join(tree, 'srv/z-linked'));
    fs.symlinkSync('../../outside', join(tree, 'srv/dangling'));
    expect(spawnSync('mkfifo', [join(tree, 'srv/fifo')]).status).toBe(0);
    const manifest = await manifestOf(base);
    expect(manifest.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(odd.map((name) => `srv/${name}`)),
    );
    const at = (path: string): unknown => manifest.files.find((file) => file.path === path);
    expect(at('srv/z-linked')).toEqual({ type: 'hardlink', path: 'srv/z-linked', target: 'srv/-rf' });
    expect(at('srv/dangling')).toEqual({ type: 'symlink', path: 'srv/dangling', target: '../../outside' });
    expect(at('srv/fifo')).toMatchObject({ type: 'fifo' });
  });

  test.runIf(isRoot)('keeps device nodes', async () => {
    expect(spawnSync('mknod', [join(tree, 'wide'), 'c', '300', '70000']).status).toBe(0);
    expect((await manifestOf(base)).files).toMatchObject([
      { type: 'character-device', path: 'wide', major: 300, minor: 70_000 },
    ]);
  });

  test('is the same bytes twice, in both codecs, signed', async () => {
    hold({ 'usr/share/a': 'a'.repeat(100_000), 'usr/share/b': 'b' });
    const keys = [generateKey(), generateKey()];
    for (const codec of ['zstd', 'xz'] as const) {
      const [first] = await pack(base, { codec, keys });
      const bytes = fs.readFileSync(first?.file ?? '');
      fs.utimesSync(join(tree, 'usr/share/a'), 1, 1);
      await pack(base, { codec, keys });
      expect(fs.readFileSync(first?.file ?? '').equals(bytes)).toBe(true);
      const header = readHeader(first?.file ?? '', 'hello');
      const trusted = keys.map((key) => key.public);
      expect(verifyManifest(header.manifestBytes, header.signatures, trusted)).toHaveLength(2);
    }
  });

  test('finds what it provides and needs where asked to', async () => {
    hold({
      'usr/bin/hello': '#!/bin/sh\n',
      'usr/lib/pkgconfig/hello.pc': 'Version: 1.5.0\nRequires: zlib\n',
    });
    expect(await manifestOf(`${base}scan: true\nprovides: [greeter]\n`)).toMatchObject({
      provides: ['greeter', 'cmd:hello', 'pc:hello@=1.5.0'],
      depends: ['pc:zlib'],
    });
    expect(await manifestOf(base)).not.toHaveProperty('provides');
  });

  test('may be empty: a package that only needs others', async () => {
    expect(await manifestOf(`${base}depends: [a, b]\nconfigFiles: []\n`)).toMatchObject({
      depends: ['a', 'b'],
      files: [],
      installedSize: 0,
    });
  });

  test('does not hold its own manifest file', async () => {
    hold({ 'etc/a': 'a', 'hello.yaml': base });
    const options = { output: join(folder, 'out'), codec: 'zstd', keys: [], epoch: 0 } as const;
    const [packed] = await packFolders([{ folder: tree, manifest: join(tree, 'hello.yaml') }], options);
    const { manifest } = readHeader(packed?.file ?? '', 'hello');
    expect(manifest.files.map(({ path }) => path)).toEqual(['etc', 'etc/a']);
  });
});

/** Each line stands for ten of the line before. */
const bomb = Array.from(
  { length: 9 },
  (_, i) =>
    `a${i}: &a${i} [${Array(10)
      .fill(i === 0 ? 'x' : `*a${i - 1}`)
      .join(', ')}]\n`,
).join('');

describe('a manifest file is refused for', () => {
  const file = 'hello.yaml';
  test.each([
    [
      'an unknown field',
      `${base}dependz: [a]\n`,
      `${file}:4:1: unknown field dependz`,
      'Did you mean depends?',
    ],
    [
      'a field that other tools have',
      `${base}conflicts: [a]\n`,
      `${file}:4:1: unknown field conflicts`,
      "A conflict is a dependency with a bang: depends: ['!other@<2']",
    ],
    ['a missing name', base.replace('name: hello\n', ''), `${file}:1:1: missing field name`, undefined],
    [
      'a misspelt name',
      base.replace('name: hello', 'nmae: hello'),
      `${file}:1:1: unknown field nmae`,
      'Did you mean name?',
    ],
    ['no architecture', base.replace('arch: noarch\n', ''), `${file}:1:1: missing field arch`, undefined],
    [
      'a version that is none',
      base.replace('1.0.0-r0', '9.2p1'),
      `${file}:2:1: version: expected a version such as 1.2.3-r0`,
      undefined,
    ],
    [
      'two releases',
      `${base}release: 1\n`,
      `${file}:4:1: release: the version 1.0.0-r0 has a release already`,
      undefined,
    ],
    [
      'a number as mode',
      `${base}owners:\n  - path: etc\n    mode: 0644\n`,
      `${file}:6:5: owners[0].mode: expected octal text in quotes such as "0644"`,
      undefined,
    ],
    [
      'a rule that matches nothing',
      `${base}owners:\n  - path: etc/shadow\n    mode: '0600'\n`,
      `${file}:5:5: owners[0].path: matches nothing in tree`,
      undefined,
    ],
    [
      'a configuration file that is not there',
      `${base}configFiles: [etc/a, etc/none]\n`,
      `${file}:4:22: configFiles[1]: matches no file in tree`,
      undefined,
    ],
    [
      'an absolute pattern',
      `${base}configFiles: [/etc/a]\n`,
      `${file}:4:15: configFiles[0]: expected a path pattern relative to the root, without a leading slash`,
      undefined,
    ],
    [
      'an entry that the folder holds',
      `${base}entries:\n  - {type: fifo, path: etc/a}\n`,
      `${file}:5:18: entries[0].path: etc/a is in the package already`,
      undefined,
    ],
    [
      'an entry outside the root',
      `${base}entries:\n  - {type: fifo, path: ../etc/a}\n`,
      /^hello\.yaml:5:18: entries\[0\]\.path: expected a relative path/,
      undefined,
    ],
    [
      'an entry of no known type',
      `${base}entries:\n  - {type: socket, path: a}\n`,
      /^hello\.yaml:5:6: entries\[0\]\.type: expected a type: directory, /,
      undefined,
    ],
    [
      'unknown capabilities',
      `${base}owners: [{path: etc/a, capabilities: cap_fly+ep}]\n`,
      `${file}:4:24: owners[0].capabilities: expected capabilities such as cap_net_raw+ep`,
      undefined,
    ],
    [
      'a link to nothing',
      `${base}entries: [{type: hardlink, path: b, target: a}]\n`,
      `${file}:4:37: entries[0].target: a is no file of the package`,
      undefined,
    ],
    [
      'something declared twice',
      `${base}groups: [{name: a}, {name: a}]\n`,
      /^hello\.yaml: manifest of .*: groups: declares a twice$/,
      undefined,
    ],
    ['a duplicate key', `${base}name: again\n`, /^hello\.yaml:4:1: /, undefined],
    ['broken YAML', 'name: [\n', /^hello\.yaml:\d+:\d+: /, undefined],
    ['aliases without end', bomb, /^hello\.yaml:/, undefined],
    ['an empty file', '', /^hello\.yaml:1:1: /, undefined],
  ])('%s', async (_, text, message, hint) => {
    hold({ 'etc/a': 'a' });
    const error = await refused(text);
    if (typeof message === 'string') expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
    expect(error.code).toBe('format-invalid');
    if (hint === undefined) expect(error.hint).not.toBe('');
    else expect(error.hint).toBe(hint);
  });
});

describe('a folder is refused for', () => {
  test.each([
    ['a control character', 'a\u001b[31m'],
    ['a newline', 'a\nb'],
    ['a mark that reorders text', 'a\u202etxt'],
  ])('a name with %s', async (_, name) => {
    hold({ [name]: 'x' });
    const error = await refused(base);
    expect(error).toMatchObject({ code: 'path-unsafe' });
    expect(error.message).toBe(`tree holds a path that no package may hold: ${JSON.stringify(name)}`);
  });

  test('a name that is no UTF-8', async () => {
    fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x61, 0xff])]), 'x');
    expect(await refused(base)).toMatchObject({ code: 'path-unsafe' });
  });

  test('the name that icepkg keeps for itself', async () => {
    hold({ '.icepkg/manifest.json': '{}' });
    expect((await refused(base)).message).toContain('.icepkg');
  });

  test('being absent, no folder, or the place of the package', async () => {
    const manifest = join(folder, 'hello.yaml');
    fs.writeFileSync(manifest, base);
    const options = { output: join(folder, 'out'), codec: 'zstd', keys: [], epoch: 0 } as const;
    await expect(packFolders([{ folder: join(folder, 'none'), manifest }], options)).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(packFolders([{ folder: manifest, manifest }], options)).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(
      packFolders([{ folder: tree, manifest }], { ...options, output: join(tree, 'out') }),
    ).rejects.toMatchObject({ code: 'usage' });
    await expect(
      packFolders([{ folder: tree, manifest: join(folder, 'none.yaml') }], options),
    ).rejects.toMatchObject({ code: 'not-found' });
  });
});

test('folders and manifest files are paired by position, none left over, no two alike', async () => {
  expect(pairJobs(['a', 'b'], ['1', '2'])).toEqual([
    { folder: 'a', manifest: '1' },
    { folder: 'b', manifest: '2' },
  ]);
  expect(() => pairJobs(['a', 'b'], ['1'])).toThrow('2 folders and 1 manifest files');
  const manifest = join(folder, 'hello.yaml');
  fs.writeFileSync(manifest, base);
  const job = { folder: tree, manifest };
  const options = { output: join(folder, 'out'), codec: 'zstd', keys: [], epoch: 0 } as const;
  await expect(packFolders([job, job], options)).rejects.toThrow('both make hello-1.0.0-r0.noarch.icepkg');
  await expect(packFolders([job], { ...options, codec: 'xz', level: 12 })).rejects.toThrow('--level 12');
});

test('the time is the environment’s where it has one', () => {
  expect(defaultEpoch({})).toBe(1_700_000_000);
  expect(defaultEpoch({ SOURCE_DATE_EPOCH: '5' })).toBe(5);
  expect(() => defaultEpoch({ SOURCE_DATE_EPOCH: 'yesterday' })).toThrow('"yesterday"');
});

describe('icepkg pack', () => {
  test('packs several folders, which then install', () => {
    const words: string[] = [];
    for (const name of ['one', 'two']) {
      fs.mkdirSync(join(folder, name, 'usr/share'), { recursive: true });
      fs.writeFileSync(join(folder, name, 'usr/share', name), name);
      fs.writeFileSync(join(folder, `${name}.yaml`), `name: ${name}\nversion: '1.0.0'\n`);
      words.push(join(folder, name), '--manifest', join(folder, `${name}.yaml`));
    }
    const output = join(folder, 'out');
    const root = join(folder, 'root');
    const packed = icepkg(['pack', ...words, '--arch', 'x86_64', '--codec', 'xz', '--output', output]);
    const files = ['one', 'two'].map((name) => join(output, `${name}-1.0.0-r0.x86_64.icepkg`));
    expect(packed).toEqual({ status: 0, stdout: `${files.join('\n')}\n`, stderr: '' });
    expect(icepkg(['init', '--root', root, '--arch', 'x86_64']).status).toBe(0);
    expect(icepkg(['install', ...files, '--root', root, '--allow-untrusted', '--yes'])).toMatchObject({
      status: 0,
    });
    expect(fs.readFileSync(join(root, 'usr/share/two'), 'utf8')).toBe('two');
    expect(icepkg(['verify', '--root', root]).status).toBe(0);
  });

  test('an error is one line and a hint, exit status as the manual has it', () => {
    const manifest = join(folder, 'hello.yaml');
    fs.writeFileSync(manifest, 'arch: noarch\n');
    const run = icepkg(['pack', tree, '--manifest', manifest, '--output', join(folder, 'out')]);
    expect(run).toEqual({
      status: 4,
      stdout: '',
      stderr: `icepkg: ${manifest}:1:1: missing field name\nhint: docs/packing.md lists the fields of a manifest file\n`,
    });
    expect(icepkg(['pack', tree]).status).toBe(2);
    expect(icepkg(['pack', tree, '--manifest', manifest, '--key', join(folder, 'no.key')]).status).toBe(8);
    fs.writeFileSync(join(folder, 'a.pub'), encodePublicKey(generateKey().public));
    const publicly = icepkg(['pack', tree, '--manifest', manifest, '--key', join(folder, 'a.pub')]);
    expect(publicly.stderr).toMatch(/a\.pub: a public key, which cannot sign\nhint: Give the private key/);
  });

  test.runIf(canRunAsNobody)('gives an ordinary user the bytes that it gives root', () => {
    fs.chmodSync(folder, 0o777);
    hold({ 'etc/a': 'a', 'usr/bin/b': 'b' });
    fs.chmodSync(tree, 0o755);
    const manifest = join(folder, 'hello.yaml');
    fs.writeFileSync(manifest, `${base}owners:\n  - {path: usr/bin/b, user: hello, mode: '4755'}\n`);
    const bytes = [0, NOBODY].map((uid) => {
      const output = join(folder, `out-${uid}`);
      const run = icepkg(['pack', tree, '--manifest', manifest, '--output', output], { uid });
      expect(run).toMatchObject({ status: 0, stderr: '' });
      return fs.readFileSync(join(output, 'hello-1.0.0-r0.noarch.icepkg')).toString('base64');
    });
    expect(bytes[1]).toBe(bytes[0]);
    fs.chmodSync(join(tree, 'etc'), 0o700);
    const run = icepkg(['pack', tree, '--manifest', manifest, '--output', join(folder, 'out-x')], {
      uid: NOBODY,
    });
    expect(run.status).toBe(21);
    expect(run.stderr).toContain(`${join(tree, 'etc')}: cannot be read`);
  });
});

import * as fs from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readHeader } from '#schema/container/read';
import { encodePublicKey, generateKey } from '#schema/keys';
import { verifyManifest } from '#schema/signature';
import { defaultEpoch, packFolders, pairJobs } from '#pkgbuild/pack';
import { canRunAsNobody, icepkg, NOBODY } from '../cli/icepkg.ts';
import { base, folder, hold, manifestOf, pack, tree } from '../support/pack-folder.ts';

const isRoot = process.getuid?.() === 0;

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

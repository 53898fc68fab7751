import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initRoot } from '#engine/init-root';
import { icepkg } from './icepkg.ts';

const NOBODY = 65534;
let folder: string;
let root: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'icepkg-cli-'));
  root = join(folder, 'root');
  initRoot(root, { arch: 'x86_64' });
  chmodSync(folder, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a fresh root is empty and in order', () => {
  expect(icepkg(['list', '--root', root])).toEqual({
    status: 0,
    stdout: '',
    stderr: 'nothing is installed\n',
  });
  expect(icepkg(['verify', '--root', root])).toEqual({
    status: 0,
    stdout: '0 packages, 0 files: all as installed\n',
    stderr: '',
  });
  expect(icepkg(['audit', '--root', root]).status).toBe(0);
  const doctor = icepkg(['doctor', '--root', root]);
  expect(doctor.status).toBe(0);
  expect(doctor.stdout).toContain('repositories');
});

test('--json is one document on stdout', () => {
  const { status, stdout, stderr } = icepkg(['world', '--root', root, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({ depends: [], holds: [], pins: {} });
  expect(JSON.parse(icepkg(['history', '--root', root, '--json']).stdout)).toEqual({ transactions: [] });
});

test('a root that does not exist', () => {
  const missing = join(folder, 'missing');
  expect(icepkg(['list', '--root', missing])).toEqual({
    status: 12,
    stdout: '',
    stderr: `icepkg: the root ${missing} does not exist\nhint: Make it: icepkg init --root ${missing}\n`,
  });
});

test('a folder that is no root, as JSON', () => {
  const { status, stdout, stderr } = icepkg(['list', '--root', folder, '--json']);
  expect({ status, stderr }).toEqual({ status: 12, stderr: '' });
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint: string } };
  expect(error.code).toBe('root-invalid');
  expect(error.message).toContain(folder);
  expect(error.hint).toContain('icepkg init');
});

test('the wrong architecture', () => {
  const { status, stderr } = icepkg(['list', '--root', root, '--arch', 'aarch64']);
  expect(status).toBe(2);
  expect(stderr).toContain('is for x86_64, not aarch64');
});

test('a package that is not installed', () => {
  for (const command of ['why', 'files', 'verify', 'reinstall']) {
    const { status, stdout, stderr } = icepkg([command, 'absent', '--root', root]);
    expect({ command, status, stdout }).toEqual({ command, status: 8, stdout: '' });
    expect(stderr).toContain('icepkg: absent is not installed\nhint: ');
  }
});

test('control characters in arguments never reach the terminal', () => {
  const { status, stderr } = icepkg(['owns', '/bin/\u001b[31mred\u202e', '--root', root]);
  expect(status).toBe(8);
  expect(stderr).toContain('/bin/\\x1b[31mred\\u202e');
});

test('a configuration that is wrong names file and line', () => {
  const file = join(root, 'etc/icepkg/icepkg.toml');
  writeFileSync(file, '\nrecommends = perhaps\n');
  const { status, stderr } = icepkg(['list', '--root', root]);
  writeFileSync(file, '');
  expect(status).toBe(3);
  expect(stderr).toMatch(/icepkg\.toml:2/);
});

test.runIf(process.getuid?.() === 0)('somebody else may look but not change', () => {
  expect(icepkg(['list', '--root', root], { uid: NOBODY }).status).toBe(0);
  const { status, stdout, stderr } = icepkg(['clean', '--root', root], { uid: NOBODY });
  expect({ status, stdout }).toEqual({ status: 13, stdout: '' });
  expect(stderr).toContain('hint: ');
});

test('names and files that are not what they seem', () => {
  const cases: [string[], RegExp][] = [
    [['hold', 'nonesuch'], /nonesuch is not installed/],
    [['remove', 'nonesuch'], /nonesuch is not installed\nhint: See what is: icepkg list --root /],
    [['pin', 'xz', 'nowhere'], /no repository is called nowhere/],
  ];
  for (const [words, message] of cases) {
    const { status, stderr } = icepkg([...words, '--yes', '--root', root]);
    expect({ words, status }).toEqual({ words, status: 8 });
    expect(stderr).toMatch(message);
  }
});

test('a name with a range where a name is meant', () => {
  for (const words of [
    ['hold', 'zlib@1'],
    ['unhold', 'zlib@1'],
    ['pin', 'zlib@1', 'main'],
    ['unpin', 'zlib@1'],
    ['remove', 'zlib@1'],
  ]) {
    const { status, stderr } = icepkg([...words, '--yes', '--root', root]);
    expect({ words, status }).toEqual({ words, status: 2 });
    expect(stderr).toMatch(
      /^icepkg: zlib@1 is no name of a package\nhint: Give the name alone: zlib; .*"zlib@RANGE"\n$/,
    );
  }
});

test.each([
  [['rollback', 'abc'], 'abc is no number of a transaction'],
  [['history', '0'], '0 is no number of a transaction'],
  [['install'], 'missing PACKAGE'],
  [['list', '--rot', 'x'], 'nonexistent flag: --rot\nhint: Did you mean --root? See: icepkg list --help'],
  [
    ['repo', 'lst'],
    'no command is called repo lst\nhint: Did you mean icepkg repo list? All commands: icepkg --help',
  ],
  [['repo', 'serve', 'x', '--port', 'abc'], '--port: expected an integer but received: abc'],
  [['pack', 'folder'], 'missing --manifest'],
])('%j is a mistake of the command line, not a bug', (words, message) => {
  const { status, stderr } = icepkg(words);
  const shown = stderr.split('\n').slice(0, message.split('\n').length);
  expect({ status, shown: shown.join('\n') }).toEqual({ status: 2, shown: `icepkg: ${message}` });
});

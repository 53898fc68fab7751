import { expect, test } from 'vitest';
import { buildCommandTable } from '#cli/command-table';
import { icepkg } from './icepkg.ts';

test('the overview lists every command', async () => {
  const { commands } = await buildCommandTable();
  const { status, stdout, stderr } = icepkg(['--help']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  for (const { id } of commands) expect(stdout).toContain(`  ${id.replaceAll(':', ' ')} `);
});

test('help of a command shows usage, flags and examples', () => {
  const { status, stdout, stderr } = icepkg(['install', '--help']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('usage: icepkg install PACKAGE... [FLAGS]');
  expect(stdout).toContain('-n, --dry-run');
  expect(stdout).toContain('icepkg install bash');
  expect(icepkg(['help', 'install']).stdout).toBe(stdout);
});

test('a topic alone lists its commands', () => {
  const { status, stdout } = icepkg(['config']);
  expect(status).toBe(0);
  expect(stdout).toContain('config diff');
  expect(stdout).not.toContain('install');
});

test('--version', () => {
  expect(icepkg(['--version'])).toEqual({ status: 0, stdout: 'icepkg 0.1.0\n', stderr: '' });
});

test('a mistyped command is told what was meant', () => {
  expect(icepkg(['instal', 'bash'])).toEqual({
    status: 2,
    stdout: '',
    stderr:
      'icepkg: no command is called instal\nhint: Did you mean icepkg install? All commands: icepkg --help\n',
  });
});

test('an unknown flag and a missing argument are usage errors', () => {
  const flag = icepkg(['list', '--colour']);
  expect(flag.status).toBe(2);
  expect(flag.stderr).toContain('icepkg: nonexistent flag: --colour\nhint: See: icepkg list --help\n');
  const argument = icepkg(['install']);
  expect(argument.status).toBe(2);
  expect(argument.stderr).toContain('missing PACKAGE');
});

/**
 * Runs scripts of packages, confined to the root: by bubblewrap, or by chroot where that is not to be had, which holds
 * mistakes but no malice. Only on the machine that the root itself belongs to (the root `/`) they see all of it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '#schema/error';
import { STATE_DIRECTORY } from '../transaction/layout.ts';
import type { PendingScript, ScriptFailure } from './scripts.ts';

const TIME_LIMIT = 5 * 60 * 1000;
const OUTPUT_LIMIT = 1024 * 1024;
/** Characters of output that a report keeps. */
const OUTPUT_KEPT = 4096;

/** Runs one script to its end; `undefined` where it went well. */
export function runScript(root: string, script: PendingScript): ScriptFailure | undefined {
  const failure = (reason: string, output = ''): ScriptFailure => ({
    package: script.package,
    script: script.script,
    reason,
    output: output.slice(-OUTPUT_KEPT).trim(),
  });
  const confined = confinement(root);
  if (confined === undefined)
    return failure('not run: neither bubblewrap works here nor is this root, who may chroot');
  const command = [...confined, '/bin/sh', '-e', '-c', script.text, script.script];
  const result = spawnSync(command[0] ?? '/bin/sh', command.slice(1), {
    cwd: '/',
    env: environmentOf(script),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIME_LIMIT,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_LIMIT,
    encoding: 'utf8',
  });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  if (result.status === 0 && result.error === undefined) return undefined;
  if (isErrno(result.error, 'ETIMEDOUT'))
    return failure(`stopped after ${TIME_LIMIT / 60_000} minutes`, output);
  if (isErrno(result.error, 'ENOBUFS'))
    return failure(`stopped after ${OUTPUT_LIMIT} bytes of output`, output);
  if (result.error !== undefined) return failure(`not run: ${result.error.message}`, output);
  return failure(
    result.status === null ? `killed by ${result.signal}` : `exit status ${result.status}`,
    output,
  );
}

function environmentOf(script: PendingScript): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/',
    LANG: 'C.UTF-8',
    ICEPKG_PACKAGE: script.package,
    ICEPKG_SCRIPT: script.script,
    ICEPKG_OLD_VERSION: script.oldVersion ?? '',
    ICEPKG_NEW_VERSION: script.newVersion ?? '',
  };
}

/** The words in front of the shell, or `undefined` where nothing can hold the script inside. */
function confinement(root: string): readonly string[] | undefined {
  if (root === '/') return [];
  const bwrap = locate('bwrap');
  if (bwrap !== undefined && works(bwrap, '--ro-bind', '/', '/', 'true')) return [bwrap, ...bubblewrap(root)];
  const chroot = locate('chroot');
  if (process.geteuid?.() !== 0 || chroot === undefined || !works(chroot, '/', 'true')) return undefined;
  const unshare = locate('unshare');
  const state = join(root, STATE_DIRECTORY);
  return unshare !== undefined && works(unshare, ...NAMESPACES, 'sh', '-c', HIDE, 'sh', state)
    ? [unshare, ...NAMESPACES, 'sh', '-c', `${HIDE} && shift && exec "$@"`, 'sh', state, chroot, root]
    : [chroot, root];
}

/** What util-linux's `unshare` keeps from a script; its children end with it. */
const NAMESPACES = ['--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child'];

const HIDE = 'mount -t tmpfs none "$1"';

/** Where a program of this machine lies; the script is given another `PATH`. */
function locate(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
}

const works = (program: string, ...words: readonly string[]): boolean =>
  spawnSync(program, words, { stdio: 'ignore' }).status === 0;

/** What root keeps inside: enough to give files away and take them, nothing that reaches the machine. */
const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETFCAP', 'SETGID', 'SETUID'];

/** No network, no other process, no right over the machine, and not the package manager's own state. */
function bubblewrap(root: string): readonly string[] {
  const words = ['--bind', root, '/', '--tmpfs', `/${STATE_DIRECTORY}`];
  // A mount point that is not there would be made in the root.
  if (isDirectory(join(root, 'dev'))) words.push('--dev', '/dev');
  // The settings of the kernel are the machine's, and root may write them without any capability.
  if (isDirectory(join(root, 'proc')))
    words.push('--proc', '/proc', '--ro-bind-try', '/proc/sys', '/proc/sys');
  const identity =
    process.geteuid?.() === 0
      ? ['--cap-drop', 'ALL', ...CAPABILITIES.flatMap((name) => ['--cap-add', `CAP_${name}`])]
      : ['--unshare-user', '--uid', '0', '--gid', '0'];
  return [
    ...words,
    ...identity,
    '--unshare-net',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--die-with-parent',
    '--new-session',
    '--chdir',
    '/',
  ];
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

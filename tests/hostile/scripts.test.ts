/** Scripts that try to reach the machine: by bubblewrap, and by what there is where that is not to be had. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { runScript } from '#engine/declared/run-scripts';
import type { ScriptFailure } from '#engine/declared/scripts';
import { addShell } from '../declared/support.ts';

const made: string[] = [];
const { PATH } = process.env;
afterEach(() => {
  process.env['PATH'] = PATH;
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function makeRoot(...folders: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'icepkg-script-'));
  made.push(root);
  initRoot(root, { arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64' });
  addShell({ root } as EngineContext);
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  return root;
}

/** From here on these programs are all that this machine has. */
function have(...programs: readonly string[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-path-'));
  made.push(folder);
  for (const program of programs) {
    const { stdout } = spawnSync('which', [program], { encoding: 'utf8' });
    symlinkSync(stdout.trim(), join(folder, program));
  }
  process.env['PATH'] = folder;
}

const run = (root: string, text: string): ScriptFailure | undefined =>
  runScript(root, {
    package: 'p',
    script: 'postInstall',
    text,
    when: 'after',
    oldVersion: undefined,
    newVersion: '1.0.0-r0',
  });
/** What a script says; it must fail to be heard. */
const told = (root: string, text: string): string => run(root, `${text}\nexit 1`)?.output ?? '';

const works = (...words: readonly string[]): boolean =>
  spawnSync(words[0] ?? '', words.slice(1), { stdio: 'ignore' }).status === 0;
const isRoot = process.getuid?.() === 0;
const bare = ['sh', 'true', 'chroot', 'mount'];
const ways: readonly (readonly [string, boolean, () => void])[] = [
  ['bubblewrap', works('bwrap', '--ro-bind', '/', '/', 'true'), () => undefined],
  [
    'unshare',
    isRoot && works('unshare', '--mount', '--pid', '--fork', 'true'),
    () => have(...bare, 'unshare'),
  ],
  ['chroot', isRoot, () => have(...bare)],
];

describe.each(ways)('a script held by %s', (way, isThere, prepare) => {
  const has = test.runIf(isThere);
  const alone = test.runIf(isThere && way !== 'chroot');

  has('sees no file of the machine', () => {
    const root = makeRoot();
    prepare();
    expect(told(root, `[ -e ${import.meta.filename} ] && echo seen; echo /*`)).toBe(
      told(root, 'echo /*').replace('seen', ''),
    );
  });

  has('is given nothing of the environment', () => {
    process.env['SECRET_OF_THE_OPERATOR'] = 'x';
    const root = makeRoot();
    prepare();
    const names = told(root, 'export -p')
      .split('\n')
      .map((line) => /(\w+)=/.exec(line)?.[1] ?? '');
    delete process.env['SECRET_OF_THE_OPERATOR'];
    expect(names.filter((name) => !name.startsWith('ICEPKG_') && name !== 'PWD' && name !== '')).toEqual([
      'HOME',
      'LANG',
      'PATH',
    ]);
  });

  has('that kills itself, or what it started, is reported', () => {
    const root = makeRoot();
    prepare();
    expect(run(root, '(kill -9 $PPID) & exit 3')?.reason).toBe('exit status 3');
    expect(run(root, 'sh -c "kill -9 \\$\\$"; exit $?')?.reason).toBe('exit status 137');
  });

  alone('leaves nothing running', async () => {
    const root = makeRoot('dev');
    // The shell gives what it starts in the background nothing to read.
    writeFileSync(join(root, 'dev/null'), '');
    prepare();
    const failure = run(root, '(while :; do echo x > /alive; done) & while [ ! -e /alive ]; do :; done');
    expect(failure).toBeUndefined();
    rmSync(join(root, 'alive'));
    await setTimeout(50);
    expect(existsSync(join(root, 'alive'))).toBe(false);
  });

  alone("does not see icepkg's own state", () => {
    const root = makeRoot();
    prepare();
    expect(told(root, 'echo /var/lib/ice-pkg/*')).toBe('/var/lib/ice-pkg/*');
    run(root, 'echo x > /var/lib/ice-pkg/state.sqlite');
    expect(readFileSync(join(root, 'var/lib/ice-pkg/state.sqlite')).subarray(0, 6).toString()).toBe('SQLite');
  });
});

describe('in bubblewrap', () => {
  const has = test.runIf(ways[0]?.[1]);

  has('there is no network but its own', () => {
    const root = makeRoot('proc');
    expect(told(root, 'while read -r name rest; do echo "$name"; done < /proc/net/dev').split('\n')).toEqual([
      'Inter-|',
      'face',
      'lo:',
    ]);
  });

  has('there are no other processes', () => {
    const root = makeRoot('proc');
    const seen = told(root, 'echo /proc/[0-9]*').split(' ').length;
    expect(seen).toBeLessThan(5);
  });

  has('the settings of the kernel cannot be written', () => {
    const root = makeRoot('proc');
    const file = '/proc/sys/kernel/core_pattern';
    expect(told(root, `read -r now < ${file}; echo "$now" > ${file} && echo written`)).not.toContain(
      'written',
    );
  });

  has('root has no right over the machine', () => {
    const root = makeRoot('proc');
    const text =
      'while read -r key value; do [ "$key" != CapEff: ] || echo "$value"; done < /proc/self/status';
    const rights = Number.parseInt(told(root, text), 16);
    const [MKNOD, SYS_ADMIN, SYS_MODULE, SYS_CHROOT, DAC_READ_SEARCH] = [27, 21, 16, 18, 2];
    for (const right of [MKNOD, SYS_ADMIN, SYS_MODULE, SYS_CHROOT, DAC_READ_SEARCH])
      expect(Math.floor(rights / 2 ** right) % 2).toBe(0);
  });
});

test('without any way to hold it a script does not run', () => {
  const root = makeRoot();
  have('sh', 'true');
  expect(run(root, 'echo x > /ran')?.reason).toContain('neither bubblewrap works here');
  expect(existsSync(join(root, 'ran'))).toBe(false);
});

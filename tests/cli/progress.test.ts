/** What a change shows while it runs: a bar on a terminal, one plain line a phase elsewhere. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDepot, type Depot } from '../support/repository.ts';
import { icepkg, program } from './icepkg.ts';

/** Content that is enough for threads, a file larger than one frame among it. */
const LARGE = 'the package holds files that a machine needs\n'.repeat(250_000);
const hasScript = spawnSync('script', ['--version']).status === 0;

let depot: Depot;

beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish(
    { name: 'app', depends: ['data'], files: { 'usr/bin/app': 'run' } },
    { name: 'data', files: { 'usr/share/large': LARGE, 'usr/share/second': LARGE, 'usr/share/empty': '' } },
  );
});
afterAll(() => depot.dispose());

describe('progress', () => {
  it('is one line a phase where nobody watches', () => {
    const { root } = depot.root();
    const { status, stderr } = icepkg(['install', 'app', '--root', root, '--yes']);
    expect(status).toBe(0);
    const lines = stderr.split('\n').filter((line) => / \d+ packages?/.test(line));
    expect(lines.map((line) => line.replace(/[\d.]+ (?:Ki|Mi)?B$/, 'SIZE'))).toEqual([
      'verifying 2 packages, SIZE',
      'extracting 2 packages, SIZE',
      'committing 2 packages',
    ]);
  });

  it('is silent with --quiet', () => {
    const { root } = depot.root();
    const { status, stderr } = icepkg(['install', 'app', '--root', root, '--yes', '--quiet']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.skipIf(!hasScript)('is a bar that fills up on a terminal', () => {
    const { root } = depot.root();
    const words = program('install', 'app', '--root', root, '--yes');
    const command = [process.execPath, ...words].map((word) => `'${word}'`).join(' ');
    const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
    expect(status).toBe(0);
    const drawn = stdout.split(/[\r\n]+/).filter((line) => line.startsWith('extracting'));
    expect(drawn.length).toBeGreaterThan(1);
    const percents = drawn.map((line) => Number(/(\d+) %/.exec(line)?.[1]));
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(drawn.at(-1)).toMatch(/^extracting {2}\[#{24}\] 100 % 2 packages, \d+\.\d MiB/);
  });
});

describe('unpacking by threads', () => {
  it('gives every byte, of files larger than a frame too', () => {
    const { root } = depot.root();
    expect(icepkg(['install', 'app', '--root', root, '--yes', '--no-sync']).status).toBe(0);
    for (const file of ['large', 'second'])
      expect(readFileSync(join(root, 'usr/share', file), 'utf8') === LARGE).toBe(true);
    expect(readFileSync(join(root, 'usr/share/empty'), 'utf8')).toBe('');
    expect(icepkg(['verify', '--root', root]).status).toBe(0);
  });

  it('leaves the root as it was when a thread cannot go on', () => {
    const { root } = depot.root();
    // No file may be larger than 4 MiB: every thread fails at its first large file.
    const words = program('install', 'app', '--root', root, '--yes', '--no-sync');
    const command = ['ulimit -f 4096; exec "$@"', 'sh', process.execPath, ...words];
    const { status, stderr } = spawnSync('bash', ['-c', ...command], { encoding: 'utf8' });
    expect(status).not.toBe(0);
    expect(stderr).toContain('a file is larger than may be written below');
    expect(existsSync(join(root, 'usr'))).toBe(false);
    expect(existsSync(join(root, 'var/lib/ice-pkg/stage'))).toBe(false);
    expect(icepkg(['list', '--root', root]).stdout).not.toContain('data');
  });
});

/** What is shown of running builds, on a terminal and elsewhere. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBuildReporter, type BuildReporter } from '#cli/build-progress';

let folder: string;
let shown: string;
beforeEach(() => {
  vi.useFakeTimers({ now: Date.now() });
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-progress-'));
  shown = '';
});
afterEach(() => {
  vi.useRealTimers();
  fs.rmSync(folder, { recursive: true, force: true });
});

const log = (recipe: string): string => path.join(folder, `${recipe}.log`);
const open = (
  isTTY: boolean,
  columns = 80,
): { tell: (recipe: string, phase: string) => void; of: BuildReporter } => {
  const of = createBuildReporter({ isTTY, columns, write: (text: string) => (shown += text) });
  return { of, tell: (recipe, phase) => of.onProgress({ recipe, arch: 'x86_64', phase, log: log(recipe) }) };
};
/** What stands on the screen in the end; `\u001b[NA\u001b[J` takes the last N lines away. */
function screen(): string[] {
  const lines: string[] = [];
  for (const part of shown.split(/(?=\u001b\[\d+A\u001b\[J)/)) {
    const erase = /^\u001b\[(\d+)A\u001b\[J/.exec(part);
    if (erase !== null) lines.length -= Number(erase[1]);
    lines.push(
      ...part
        .slice(erase?.[0].length ?? 0)
        .split('\n')
        .slice(0, -1),
    );
  }
  return lines;
}

test('elsewhere each step of each build is a line', () => {
  const { tell, of } = open(false);
  for (const phase of ['build', 'done']) tell('zlib', phase);
  of.end();
  expect(shown).toBe('zlib for x86_64: build\nzlib for x86_64: done\n');
});

test('on a terminal each running build has a line, and what has ended stays above', () => {
  const { tell, of } = open(true);
  tell('zlib', 'build');
  tell('bash', 'prepare');
  fs.writeFileSync(log('zlib'), 'first\ncc -c inflate\u001b[2J.c\n');
  fs.utimesSync(log('zlib'), Date.now(), Date.now() / 1000 + 5);
  vi.advanceTimersByTime(61_000);
  expect(screen()).toEqual([
    'zlib for x86_64: build, 1 min 1 s  cc -c inflate\\x1b[2J.c',
    'bash for x86_64: prepare, 1 min 1 s',
  ]);
  tell('bash', 'failed');
  tell('musl', 'cached');
  expect(screen()).toEqual([
    'bash for x86_64: failed after 1 min 1 s',
    'musl for x86_64: cached',
    'zlib for x86_64: build, 1 min 1 s  cc -c inflate\\x1b[2J.c',
  ]);
  of.end();
  expect(screen()).toHaveLength(2);
});

test('a line is never wider than the terminal', () => {
  const { tell, of } = open(true, 30);
  tell('zlib', 'build');
  fs.writeFileSync(log('zlib'), `${'x'.repeat(100)}\n`);
  fs.utimesSync(log('zlib'), Date.now(), Date.now() / 1000 + 5);
  vi.advanceTimersByTime(1000);
  expect(screen().map((line) => line.length)).toEqual([29]);
  of.end();
});

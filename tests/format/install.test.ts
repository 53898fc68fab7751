/** Bad packages given to `icepkg install`: an error that names the file or package, a way out, and nothing changed. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initRoot } from '#engine/init-root';
import { icepkg } from '../cli/icepkg.ts';
import { forge, type Loose } from './support.ts';

let folder: string;
let root: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'icepkg-bad-'));
  root = join(folder, 'root');
  initRoot(root, { arch: 'x86_64' });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const first =
  (change: object) =>
  (manifest: Loose): object => ({
    ...manifest,
    files: manifest.files.map((entry, index) => (index === 0 ? { ...entry, ...change } : entry)),
  });
const good = forge();
const outside = (): string[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.startsWith('var/lib/ice-pkg'))
    .toSorted();

test.each<[string, number, () => Promise<Uint8Array>]>([
  ['empty', 5, async () => Buffer.alloc(0)],
  ['html', 5, async () => Buffer.from('<!doctype html>')],
  ['cut', 5, async () => (await good).subarray(0, -1)],
  ['twice', 5, async () => Buffer.concat([await good, await good])],
  [
    'flipped',
    5,
    async () => {
      const bytes = Buffer.from(await good);
      bytes[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 4;
      return bytes;
    },
  ],
  ['content', 5, () => forge(first({ sha256: 'a'.repeat(64) }))],
  ['escape', 4, () => forge(first({ path: '../escaped' }))],
  ['control', 4, () => forge(first({ path: 'etc/\u001b[31mred' }))],
])('%s', async (name, status, make) => {
  const before = outside();
  const file = join(folder, `${name}.icepkg`);
  writeFileSync(file, await make());
  const run = icepkg(['install', file, '--root', root, '--allow-untrusted', '--yes']);
  expect(run.status).toBe(status);
  expect(run.stderr).toMatch(/^icepkg: .*(?:forged|\.icepkg)/m);
  expect(run.stderr).not.toContain('\u001b');
  expect(outside()).toEqual(before);
});

test('after all of them nothing is installed, and the good one still can be', async () => {
  expect(icepkg(['list', '--root', root]).stdout).not.toContain('forged');
  const file = join(folder, 'good.icepkg');
  writeFileSync(file, await good);
  const run = icepkg(['install', file, '--root', root, '--allow-untrusted', '--yes']);
  expect(run.status).toBe(0);
  expect(readFileSync(join(root, 'etc/a'), 'utf8')).toBe('content of a');
});

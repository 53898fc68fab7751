/** What the launcher says where it cannot start. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

const launcher = new URL('../../cli/bin/icepkg.js', import.meta.url);
const clones: string[] = [];
afterEach(() => {
  for (const clone of clones.splice(0)) rmSync(clone, { recursive: true, force: true });
});

/** Starts a clone whose `dist/cli/main.js` has this text; without one it was not built. */
function start(main?: string): { readonly status: number | null; readonly stderr: string } {
  const clone = mkdtempSync(join(tmpdir(), 'icepkg-clone-'));
  clones.push(clone);
  mkdirSync(join(clone, 'cli/bin'), { recursive: true });
  copyFileSync(launcher, join(clone, 'cli/bin/icepkg.js'));
  writeFileSync(
    join(clone, 'package.json'),
    JSON.stringify({ type: 'module', imports: { '#cli/*': './dist/cli/*.js' } }),
  );
  if (main !== undefined) {
    mkdirSync(join(clone, 'dist/cli'), { recursive: true });
    writeFileSync(join(clone, 'dist/cli/main.js'), main);
  }
  return spawnSync(process.execPath, [join(clone, 'cli/bin/icepkg.js')], { encoding: 'utf8' });
}

test('a clone that is not built is told to be built', () => {
  const { status, stderr } = start();
  expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('npm run build') });
});

test('so is one whose build broke off', () => {
  const main =
    "import fs from 'node:fs'; export const main = () => fs.readFileSync('/dist/oclif.manifest.json');";
  expect(start(main)).toMatchObject({ status: 1, stderr: expect.stringContaining('npm run build') });
});

test.each([
  ["import 'not-installed-at-all';", 'not-installed-at-all'],
  ["import './missing.js';", 'missing.js'],
  ["export const main = () => { throw new Error('broken inside'); };", 'broken inside'],
])('any other failure is shown as it is: %s', (main, shown) => {
  const { status, stderr } = start(main);
  expect(status).not.toBe(0);
  expect(stderr).toContain(shown);
  expect(stderr).not.toContain('not built');
});

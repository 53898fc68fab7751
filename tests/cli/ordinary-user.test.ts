/** Root folders kept by somebody who is not root: everything works, and what only root may do is recorded. */
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDepot, type Depot } from '../support/repository.ts';
import { icepkg, type Run } from './icepkg.ts';

const NOBODY = 65_534;

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
  const files = {
    etc: { directory: 0o755 },
    'usr/bin/su': { text: 'program', mode: 0o4755 },
    'var/spool': { directory: 0o1777 },
  };
  const beside = {
    name: 'beside',
    files: { 'usr/bin/beside': 'another program', 'usr/bin/too': { hard: 'usr/bin/beside' } },
  };
  await depot.publish({ name: 'su', files }, { name: 'su', version: '1.1.0-r0', files }, beside);
});
afterAll(() => depot.dispose());

test.skipIf(process.getuid?.() !== 0)('install, upgrade, roll back, reinstall and remove', () => {
  const home = join(depot.folder, 'home');
  mkdirSync(home);
  chmodSync(depot.folder, 0o755);
  chownSync(home, NOBODY, NOBODY);
  const root = join(home, 'root');
  const run = (...words: string[]): Run => {
    const result = icepkg([...words, '--root', root], { uid: NOBODY });
    expect(`${words.join(' ')}: ${result.status} ${result.status === 0 ? '' : result.stderr}`).toBe(
      `${words.join(' ')}: 0 `,
    );
    return result;
  };
  const trust = join(depot.repository, 'channels/stable/metadata/1.root.json');
  run('init', '--arch', 'x86_64', '--repository', `main=${depot.repository}`, '--trust', trust);
  expect(run('install', 'su@<1.1', '--yes').stderr).toMatch(/paths could not be given their owner or kind/);
  expect(statSync(join(root, 'usr/bin/su'))).toMatchObject({ uid: NOBODY });
  expect(statSync(join(root, 'usr/bin/su')).mode & 0o7777).toBe(0o755);
  expect(run('verify').stdout).toContain('all as installed');
  run('install', 'su', '--yes');
  run('upgrade', '--yes');
  expect(run('list').stdout).toContain('1.1.0-r0');
  run('rollback', '--yes');
  expect(run('verify').stdout).toContain('all as installed');
  run('reinstall', 'su', '--yes');
  expect(run('verify').stdout).toContain('all as installed');
  run('install', 'beside', '--yes');
  expect(run('verify').stdout).toContain('2 packages');
  run('reinstall', 'beside', '--yes');
  run('remove', 'su', '--yes');
  expect(run('verify').stdout).toContain('1 package,');
  run('remove', 'beside', '--yes');
  expect(run('verify').stdout).toContain('0 packages');
});

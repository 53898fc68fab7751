/** What `remove` says where it cannot, or need not, take a package away. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDepot, type Depot } from '../support/repository.ts';
import { icepkg, type Run } from './icepkg.ts';

let depot: Depot;
let root: string;
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish({ name: 'app', depends: ['lib'] }, { name: 'lib' });
  root = join(depot.folder, 'root');
  const trust = join(depot.repository, 'channels/stable/metadata/1.root.json');
  icepkg([
    'init',
    '--root',
    root,
    '--arch',
    'x86_64',
    '--repository',
    `main=${depot.repository}`,
    '--trust',
    trust,
  ]);
  expect(run('install', 'app', 'lib').status).toBe(0);
});
afterAll(() => depot.dispose());

const run = (...words: string[]): Run => icepkg([...words, '--yes', '--root', root]);

test('a held package is not removed', () => {
  run('hold', 'app');
  const { status, stderr } = run('remove', 'app');
  expect(status).toBe(9);
  expect(stderr).toMatch(/app is held.*\n.*icepkg unhold .*app/);
  run('unhold', 'app');
});

test('what another package needs stays, and is said to', () => {
  const { status, stdout, stderr } = run('remove', 'lib');
  expect(status).toBe(0);
  expect(stdout).toContain('- lib');
  expect(stderr).toContain('lib stays installed: needed by app');
  expect(run('remove', 'app').stdout).toMatch(/remove +app.*\n.*remove +lib/);
});

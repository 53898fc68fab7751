/** What a root says about the repositories that it uses, or about having none. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodePublicKey } from '#schema/keys';
import { initRoot } from '#engine/init-root';
import { makeDepot, type Depot } from '../support/repository.ts';
import { icepkg, type Run } from './icepkg.ts';

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish({ name: 'app' }, { name: 'lib' });
});
afterAll(() => depot.dispose());

let roots = 0;
function emptyRoot(): string {
  const root = join(depot.folder, `empty-${++roots}`);
  initRoot(root, { arch: 'x86_64' });
  return root;
}
const run = (root: string, ...words: string[]): Run => icepkg([...words, '--root', root]);
const attach = (root: string, name: string, ...words: string[]): Run =>
  run(root, 'repo', 'attach', name, ...words, '--trust', depot.trustedRoot);
const tables = (root: string): string => readFileSync(join(root, 'etc/icepkg/repositories.toml'), 'utf8');

test.each([['update'], ['search', 'app'], ['upgrade'], ['install', 'app']])(
  '%s without a repository names the way to one',
  (...words) => {
    const { status, stdout, stderr } = run(emptyRoot(), ...words);
    expect({ failed: (status ?? 0) > 0, stdout }).toEqual({ failed: true, stdout: '' });
    expect(stderr).toMatch(/icepkg repo attach --root \S+ NAME MIRROR --trust FILE/);
  },
);

test('repo list tells what each repository is', () => {
  const root = emptyRoot();
  expect(run(root, 'repo', 'list')).toMatchObject({ status: 0, stdout: '' });
  expect(attach(root, 'main', depot.repository).status).toBe(0);
  expect(attach(root, 'edge', '/nowhere', depot.repository, '--pinned-only').status).toBe(0);
  run(root, 'search');
  const listed = JSON.parse(run(root, 'repo', 'list', '--json').stdout) as { repositories: unknown };
  expect(listed.repositories).toMatchObject([
    { name: 'main', channel: 'stable', mirrors: [depot.repository], pinnedOnly: false, trust: 'good' },
    { name: 'edge', mirrors: ['/nowhere', depot.repository], pinnedOnly: true, trust: 'good' },
  ]);
  expect(attach(root, 'fresh', depot.repository).status).toBe(0);
  const { stdout } = run(root, 'repo', 'list');
  expect(stdout).toMatch(/^main +stable +good +20\S+Z +20\S+Z /m);
  expect(stdout).toMatch(/^edge \(pinned packages only\)/m);
  expect(stdout).toMatch(/^fresh +stable +never refreshed +never /m);
});

test('folders may be written as from here, and other addresses are refused with their reason', () => {
  const root = emptyRoot();
  const here = relative(process.cwd(), depot.repository);
  const words = ['--repository', `main=${here}`, '--trust', depot.trustedRoot];
  expect(run(root, 'init', ...words).status).toBe(0);
  expect(tables(root)).toContain(`"${depot.repository}"`);
  const { status, stderr } = attach(root, 'far', 'ftp://example.org/packages');
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr:
      'icepkg: "ftp://example.org/packages" is no address of a mirror\n' +
      'hint: Give an http://, https:// or file:// address, or a folder\n',
  });
});

test('repo detach takes out one table and nothing else', () => {
  const root = emptyRoot();
  attach(root, 'first', depot.repository);
  attach(root, 'second', depot.repository);
  writeFileSync(
    join(root, 'etc/icepkg/repositories.toml'),
    `# mine\n${tables(root)}enabled = true # so far\n\n# the third\n[[repository]]\nname = "third"\nmirrors = ["/x"]\nenabled = false\n`,
  );
  expect(run(root, 'pin', 'app', 'second', '--yes').status).toBe(0);
  const { status, stdout, stderr } = run(root, 'repo', 'detach', 'second');
  expect({ status, stdout }).toEqual({ status: 0, stdout: `${root} uses second no more\n` });
  expect(stderr).toContain('app is pinned to it; release it: icepkg unpin --root');
  expect(tables(root)).toMatch(
    /^# mine\n[^]*name = "first"[^]*\n# the third\n\[\[repository\]\]\nname = "third"/,
  );
  expect(tables(root)).not.toContain('second');
  expect(tables(root)).not.toContain('so far');
  expect(run(root, 'repo', 'detach', 'second')).toMatchObject({ status: 8 });
});

test('update goes on after a repository that is dead, and fails', () => {
  const root = emptyRoot();
  attach(root, 'dead', '/nowhere');
  attach(root, 'main', depot.repository);
  const { status, stdout, stderr } = run(root, 'update');
  expect(status).toBe(7);
  expect(stdout).toMatch(/^dead: not refreshed\nmain: 2 packages\n/);
  expect(stderr).toMatch(/^icepkg: not refreshed: dead: .*\/nowhere/m);
  const { error } = JSON.parse(run(root, 'update', '--json').stdout) as { error: { data: unknown } };
  expect(error.data).toMatchObject({ repositories: [{ repository: 'dead' }, { packages: 2 }] });
});

test('nothing is refreshed offline, from a folder neither', () => {
  const root = emptyRoot();
  attach(root, 'main', depot.repository);
  expect(run(root, 'upgrade', '--offline').stderr).toBe('');
  expect(run(root, 'upgrade').stderr).toBe('refreshed main\n');
});

test('doctor asks the mirrors, of which one that answers is enough', () => {
  const root = emptyRoot();
  attach(root, 'main', '/nowhere', depot.repository);
  const { status, stdout } = run(root, 'doctor');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^warning +mirror of main +\/nowhere\S+: not found$/m);
  expect(stdout).toMatch(/^good +mirror of main +\S+ answers, good until 20/m);
  attach(root, 'dead', '/nowhere');
  expect(run(root, 'doctor')).toMatchObject({ status: 16 });
  const offline = run(root, 'doctor', '--offline');
  expect(offline.status).toBe(0);
  expect(offline.stdout).not.toContain('mirror');
});

test('a key is no trusted root', () => {
  const root = emptyRoot();
  const key = join(depot.folder, 'key.pub');
  writeFileSync(key, encodePublicKey(depot.key.public));
  const { status, stderr } = run(root, 'repo', 'attach', 'main', depot.repository, '--trust', key);
  expect(status).toBe(6);
  expect(stderr).toMatch(/no trusted root of a repository: .*key\.pub.*\nhint: Give the root\.json/);
});

/** The commands as an operator types them, through the real program. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { icepkg } from '../cli/icepkg.ts';
import { makeDepot, type Depot } from '../support/repository.ts';
import { serveRepository } from '../support/served-repository.ts';

let depot: Depot;
let at: (name: string) => string;
beforeAll(async () => {
  depot = await makeDepot();
  at = (name) => join(depot.folder, name);
});
afterAll(() => depot.dispose());

const ok = (...words: string[]): string => {
  const { status, stdout, stderr } = icepkg(words);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
};

test('from a key to a root that sees a package', async () => {
  const [file = ''] = await depot.pack({ name: 'zlib' });
  ok('key', 'generate', at('packager'));
  expect(statSync(at('packager.key')).mode & 0o777).toBe(0o600);
  expect(readFileSync(at('packager.pub'), 'utf8')).not.toContain('private');
  expect(icepkg(['key', 'generate', at('packager')]).status).toBe(2);

  ok('repo', 'init', at('repo'), '--key', at('packager.key'));
  expect(ok('repo', 'add', at('repo'), file)).toContain('added zlib-1.0.0-r0');
  expect(ok('repo', 'publish', at('repo'), '--key', at('packager.key'))).toContain(
    'published 1 package to stable',
  );
  expect(ok('repo', 'status', at('repo'), '--packages')).toMatch(/zlib +1\.0\.0-r0/);

  ok('init', '--root', at('machine'), '--arch', 'x86_64');
  const trust = join(at('repo'), 'channels/stable/metadata/1.root.json');
  ok('repo', 'attach', 'main', at('repo'), '--trust', trust, '--root', at('machine'));
  expect(icepkg(['update', '--quiet', '--root', at('machine')]).status).toBe(0);
  expect(icepkg(['search', 'zlib', '--root', at('machine')]).stdout).toContain('zlib');

  ok('key', 'generate', at('next'));
  ok('repo', 'rotate', at('repo'), '--key', at('next.key'), '--old-key', at('packager.key'));
  expect(icepkg(['repo', 'publish', at('repo'), '--key', at('packager.key')]).status).toBe(2);
  const refused = icepkg(['repo', 'verify', at('repo')]);
  expect(refused.status).toBe(16);
  expect(refused.stderr).toContain(`hint: Sign anew: icepkg repo publish ${at('repo')} --channel stable\n`);
  ok('repo', 'remove', at('repo'), 'zlib');
  ok('repo', 'publish', at('repo'), '--key', at('next.key'));
  expect(ok('repo', 'verify', at('repo'))).toContain('all well');
  expect(icepkg(['update', '--quiet', '--root', at('machine')]).status).toBe(0);
  expect(existsSync(at('repo/channels/stable/metadata/2.root.json'))).toBe(true);
});

test('a folder stands for the packages in it; one without any is refused', async () => {
  const files = [...(await depot.pack({ name: 'one' })), ...(await depot.pack({ name: 'two' }))];
  ok('key', 'generate', at('folders'));
  ok('repo', 'init', at('of-folders'), '--key', at('folders.key'));
  mkdirSync(at('built/more'), { recursive: true });
  for (const file of files) copyFileSync(file, join(at('built'), basename(file)));
  writeFileSync(at('built/notes.txt'), 'no package');
  expect(ok('repo', 'add', at('of-folders'), at('built'))).toBe(
    'added one-1.0.0-r0 (x86_64)\nadded two-1.0.0-r0 (x86_64)\n',
  );
  const { status, stderr } = icepkg(['repo', 'add', at('of-folders'), at('built/more')]);
  expect(stderr).toMatch(/built\/more: no packages here\nhint: Name package files, or a folder/);
  expect(status).toBe(8);
});

test('repo serve prints its address, answers, and ends on SIGTERM', async () => {
  const { url, server } = await serveRepository(depot.repository);
  const ended = new Promise<number | null>((resolve) => server.on('exit', resolve));
  expect((await fetch(`${url}/channels/stable/metadata/root.json`)).status).toBe(200);
  server.kill('SIGTERM');
  expect(await ended).toBe(0);
});

test.each([
  ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
  ['two in a row', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
])('a local file that is %s is refused before there is a plan', async (_, damage) => {
  const [file = ''] = await depot.pack({ name: 'whole', files: { 'etc/whole': 'x' } });
  const damaged = at('damaged.icepkg');
  writeFileSync(damaged, damage(readFileSync(file)));
  rmSync(at('local'), { recursive: true, force: true });
  ok('init', '--root', at('local'), '--arch', 'x86_64');
  const { status, stdout, stderr } = icepkg([
    'install',
    damaged,
    '--allow-untrusted',
    '--yes',
    '--root',
    at('local'),
  ]);
  expect({ status, stdout }).toEqual({ status: 5, stdout: '' });
  expect(stderr).toMatch(/damaged\.icepkg: (is cut short|\d+ bytes follow the last frame)/);
});

test('a local file for another machine is refused, also where a repository has the same package', async () => {
  const own = await depot.pack({ name: 'both', files: { 'etc/both': 'x' } });
  const foreign = await depot.pack({ name: 'both', arch: 'aarch64', files: { 'etc/both': 'x' } });
  ok('repo', 'init', at('both'), '--key', at('packager.key'));
  ok('repo', 'add', at('both'), ...own);
  ok('repo', 'publish', at('both'), '--key', at('packager.key'));
  const trust = at('both/channels/stable/metadata/1.root.json');
  ok('init', '--root', at('x86'), '--arch', 'x86_64', '--repository', `both=${at('both')}`, '--trust', trust);
  const { status, stderr } = icepkg([
    'install',
    foreign[0] ?? '',
    '--root',
    at('x86'),
    '--yes',
    '--allow-untrusted',
  ]);
  expect(status).toBe(9);
  expect(stderr).toContain('is for aarch64, not for x86_64');
});

test('each path of owns is answered', () => {
  const root = at('local');
  const { status, stdout, stderr } = icepkg(['owns', '/etc', '/nope', '--root', root, '--json']);
  expect({ status, stderr }).toEqual({ status: 8, stderr: '' });
  const { error } = JSON.parse(stdout) as { error: { message: string } };
  expect(error.message).toBe('no package owns /etc, /nope');
});

test('only a root is attached to a repository', () => {
  const trust = join(depot.repository, 'channels/stable/metadata/1.root.json');
  const { status, stderr } = icepkg([
    'repo',
    'attach',
    'main',
    depot.repository,
    '--trust',
    trust,
    '--root',
    depot.folder,
  ]);
  expect(status).toBe(12);
  expect(stderr).toContain('is not an icepkg root');
  expect(existsSync(at('etc'))).toBe(false);
});

/** Declared state through the real program: as root, as an ordinary user, from local files, with every flush. */
import { chmodSync, chownSync, cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { initRoot } from '#engine/init-root';
import { KEY_FOLDER } from '#engine/client/local-package';
import { openContext } from '#engine/context';
import { encodePublicKey } from '#schema/keys';
import { icepkg } from '../cli/icepkg.ts';
import { makeDepot, type Depot } from '../support/repository.ts';
import { addShell, install, text } from './support.ts';

const NOBODY = 65534;
let depot: Depot;
let files: string[];
beforeAll(async () => {
  depot = await makeDepot();
  chmodSync(depot.folder, 0o755);
  files = await depot.pack(
    {
      name: 'web',
      users: [{ name: 'web', uid: 80 }],
      files: { 'srv/page': { text: 'hello', user: 'web', group: 'web' } },
      services: [{ name: 'web', command: ['/usr/bin/web'], enable: true }],
      alternatives: [{ link: 'usr/bin/www', target: 'web', priority: 1 }],
    },
    { name: 'failing', scripts: { postInstall: 'echo "no luck"; exit 7' } },
  );
});
afterAll(() => depot.dispose());

let count = 0;
function newRoot(trusted = true): string {
  const root = join(depot.folder, `local-${++count}`);
  initRoot(root, { arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64' });
  if (trusted) {
    mkdirSync(join(root, KEY_FOLDER), { recursive: true });
    writeFileSync(join(root, KEY_FOLDER, 'ours.pub'), encodePublicKey(depot.key.public));
  }
  return root;
}

const local = (name: string): string => files.find((file) => file.includes(`/${name}-`)) ?? '';

it('installs a local file that a trusted key signed, and no other', () => {
  const root = newRoot(false);
  const refused = icepkg(['install', local('web'), '--root', root, '--yes']);
  expect(refused.status).toBe(5);
  expect(refused.stderr).toContain('is signed by no trusted key');
  expect(readdirSync(root).sort()).toEqual(['etc', 'var']);
  const done = icepkg(['install', local('web'), '--root', newRoot(), '--yes']);
  expect(done).toMatchObject({ status: 0 });
});

it('shows the whole through every command', () => {
  const root = newRoot();
  expect(icepkg(['install', local('web'), '--root', root, '--yes'])).toMatchObject({ status: 0 });
  expect(icepkg(['verify', '--root', root])).toMatchObject({ status: 0 });
  expect(icepkg(['audit', '--root', root]).stdout).not.toMatch(/error/);
  expect(icepkg(['owns', '/usr/bin/www', '--root', root]).stdout).toContain('web');
  expect(icepkg(['files', 'web', '--root', root]).stdout).toContain('etc/sv/web/run');
  const { stdout } = icepkg(['info', 'web', '--root', root, '--offline']);
  expect(stdout).toMatch(/users:\s+web/);
  expect(stdout).toMatch(/services:\s+web/);
  expect(stdout).toMatch(/alternatives:\s+usr\/bin\/www -> web \(1\)/);
  expect(icepkg(['rollback', '--root', root, '--yes'])).toMatchObject({ status: 0 });
  expect(readdirSync(join(root, 'etc')).sort()).toEqual(['icepkg']);
});

it.runIf(process.geteuid?.() === 0)('records the owners that an ordinary user cannot give', () => {
  const root = newRoot();
  const own = join(depot.folder, 'own');
  cpSync(root, own, { recursive: true });
  const give = (path: string): void => {
    chownSync(path, NOBODY, NOBODY);
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const below = join(path, entry.name);
      if (entry.isDirectory()) give(below);
      else chownSync(below, NOBODY, NOBODY);
    }
  };
  give(own);
  const done = icepkg(['install', local('web'), '--root', own, '--yes'], { uid: NOBODY });
  expect(done).toMatchObject({ status: 0 });
  expect(done.stderr).toContain('could not be given their owner');
  expect(readFileSync(join(own, 'etc/passwd'), 'utf8')).toContain('web:x:80:80:');
  expect(icepkg(['verify', '--root', own], { uid: NOBODY })).toMatchObject({ status: 0 });
  expect(icepkg(['remove', 'web', '--root', own, '--yes'], { uid: NOBODY })).toMatchObject({ status: 0 });
});

it('says which script failed, with what it wrote, and exits 15 with the change done', () => {
  const root = newRoot();
  addShell(openContext({ root }));
  const { status, stdout, stderr } = icepkg(['install', local('failing'), '--root', root, '--yes']);
  expect({ status, done: stdout.includes('done: transaction 1') }).toEqual({ status: 15, done: true });
  expect(stderr).toContain('note: postInstall of failing: exit status 7: no luck');
  expect(stderr).toContain('hint: ');
  expect(icepkg(['list', '--root', root]).stdout).toContain('failing');
});

it('flushes around the commit point', async () => {
  const context = openContext({ root: newRoot(), sync: true });
  await install(context, local('web'));
  expect(text(context, 'etc/passwd')).toBe('web:x:80:80::/nonexistent:/sbin/nologin\n');
});

it('says that a root lies between two states, and then finishes it', async () => {
  const root = newRoot();
  const onStep = (step: string): void => {
    if (step.startsWith('rename')) throw new Error('stopped');
  };
  await expect(install({ ...openContext({ root }), onStep }, local('web'))).rejects.toThrow('committed, but');
  expect(icepkg(['list', '--root', root]).stderr).toContain('is not wholly in place yet');
  expect(icepkg(['reinstall', 'web', '--root', root, '--yes', '--offline']).stderr).toContain(
    'recovered: finished transaction 1',
  );
  expect(icepkg(['list', '--root', root]).stderr).toBe('');
});

/** What packages declare, carried out by the transaction: installed, upgraded, removed, rolled back. */
import {
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  appendFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineContext } from '#engine/context';
import { configFiles } from '#engine/queries/config-files';
import { owns } from '#engine/queries/owns';
import { verify } from '#engine/queries/verify';
import { openStore } from '#engine/store/store';
import { makeDepot, type Depot } from '../support/repository.ts';
import { snapshot } from '../transaction/fixture.ts';
import {
  addShell,
  install,
  linkOf,
  problems,
  reinstall,
  remove,
  swap,
  text,
  undo,
  upgrade,
} from './support.ts';

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish(
    {
      name: 'base',
      files: {
        'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
        'etc/group': 'root:x:0:\n',
        'etc/shadow': { text: 'root:!:::::::\n', mode: 0o600 },
      },
    },
    {
      name: 'web',
      users: [{ name: 'web', uid: 80, home: '/srv' }],
      groups: [{ name: 'logs', gid: 81 }],
      files: { 'srv/page': { text: 'hello', user: 'web', group: 'logs' } },
      services: [
        { name: 'web', command: ['/usr/bin/web', '-p 80'], user: 'web', enable: true, restart: 'on-failure' },
      ],
    },
    { name: 'third', users: [{ name: 'third' }] },
    { name: 'fourth', users: [{ name: 'fourth' }] },
    {
      name: 'nano',
      files: { 'usr/bin/nano': 'nano' },
      alternatives: [{ link: 'usr/bin/vi', target: 'nano', priority: 10 }],
    },
    {
      name: 'vim',
      files: { 'usr/bin/vim': 'vim' },
      alternatives: [{ link: 'usr/bin/vi', target: 'vim', priority: 50 }],
    },
    { name: 'elvis', files: { 'usr/bin/vi': 'elvis' } },
    { name: 'rival', users: [{ name: 'web', uid: 90 }] },
    {
      name: 'scripted',
      scripts: {
        preInstall: 'echo "$ICEPKG_SCRIPT $ICEPKG_NEW_VERSION" >> /log',
        postInstall: 'test -e /usr/share/scripted; echo postInstall >> /log',
        preRemove: 'test -e /usr/share/scripted; echo preRemove >> /log',
        postRemove: 'test ! -e /usr/share/scripted; echo postRemove >> /log; echo broken; exit 3',
      },
      files: { 'usr/share/scripted': 'here' },
    },
  );
});
afterAll(() => depot.dispose());

const asRoot = process.geteuid?.() === 0;

describe('accounts', () => {
  it('come with the files that belong to them, in a root that has none yet', async () => {
    const context = depot.root();
    await install(context, 'base', 'web');
    expect(text(context, 'etc/passwd')).toBe(
      'root:x:0:0:root:/root:/bin/sh\nweb:x:80:80::/srv:/sbin/nologin\n',
    );
    expect(text(context, 'etc/group')).toBe('root:x:0:\nlogs:x:81:\nweb:x:80:\n');
    expect(text(context, 'etc/shadow')).toBe('root:!:::::::\nweb:!:::::::\n');
    expect(statSync(join(context.root, 'etc/shadow')).mode & 0o777).toBe(0o600);
    const { uid, gid } = statSync(join(context.root, 'srv/page'));
    if (asRoot) expect([uid, gid]).toEqual([80, 81]);
    const store = openStore(context.root, { mode: 'read' });
    expect(store.ownersOf('srv/page')[0]).toMatchObject({ uid: 80, gid: 81 });
    store.close();
    expect(problems(context)).toEqual([]);
  });

  it('are added beside what the operator wrote, outlive their package, and roll back', async () => {
    const context = depot.root();
    await install(context, 'base');
    appendFileSync(join(context.root, 'etc/passwd'), 'ann:x:1000:0::/home/ann:/bin/sh\n');
    const before = text(context, 'etc/passwd');
    await install(context, 'web');
    const after = `${before}web:x:80:80::/srv:/sbin/nologin\n`;
    expect(text(context, 'etc/passwd')).toBe(after);
    await undo(context);
    expect(text(context, 'etc/passwd')).toBe(before);
    await install(context, 'web');
    await remove(context, 'web');
    expect(text(context, 'etc/passwd')).toBe(after);
    await reinstall(context, 'base');
    expect(text(context, 'etc/passwd')).toBe(after);
  });

  it('count as no change of the files, until somebody else makes one', async () => {
    const changes = ({ root }: EngineContext): readonly string[] =>
      configFiles(root)
        .filter(({ state }) => state !== 'as installed')
        .map(({ path }) => path);
    const context = depot.root();
    await install(context, 'base', 'web');
    expect(changes(context)).toEqual([]);
    expect(verify(context.root, []).changedConfig).toEqual([]);
    await install(context, 'third');
    await reinstall(context, 'base');
    await remove(context, 'web');
    expect(text(context, 'etc/passwd')).toMatch(/web:[^]*third:/u);
    expect(changes(context)).toEqual([]);
    appendFileSync(join(context.root, 'etc/group'), 'ann:x:1000:\n');
    expect(changes(context)).toEqual(['etc/group']);
    await install(context, 'fourth');
    expect(changes(context)).toEqual(['etc/group']);
    await undo(context);
    expect(changes(context)).toEqual(['etc/group']);
    expect(problems(context)).toEqual([]);
  });

  it('of a rolled back package stay where the operator edited the file since', async () => {
    const context = depot.root();
    await install(context, 'base');
    await install(context, 'web');
    appendFileSync(join(context.root, 'etc/passwd'), 'ann:x:1000:0::/home/ann:/bin/sh\n');
    const { notices } = await undo(context);
    expect(text(context, 'etc/passwd')).toMatch(/web:[^]*ann:/u);
    expect(notices).toContain('kept /etc/passwd, which was changed since');
  });

  it('stop the transaction where they contradict each other, before anything is written', async () => {
    const context = depot.root();
    await install(context, 'base');
    const before = snapshot(context.root);
    await expect(install(context, 'web', 'rival')).rejects.toThrow(
      'user web: web wants number 80, rival has 90',
    );
    appendFileSync(join(context.root, 'etc/passwd'), 'broken\n');
    await expect(install(context, 'web')).rejects.toThrow('/etc/passwd, line 2: not a valid line');
    writeFileSync(join(context.root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    expect(snapshot(context.root)).toEqual(before);
  });
});

it.each(['etc', 'etc/passwd'])('never writes accounts through a symlink at %s', async (path) => {
  const context = depot.root();
  const real = join(context.root, path);
  if (path === 'etc') renameSync(real, join(context.root, 'real'));
  symlinkSync(path === 'etc' ? 'real' : 'elsewhere', real);
  const before = linkOf(context, path);
  await expect(install(context, 'rival')).rejects.toThrow(`${path} is no`);
  expect(before).toBeDefined();
  expect(linkOf(context, path)).toBe(before);
});

describe('alternatives', () => {
  it('follow the priorities of what is installed', async () => {
    const context = depot.root();
    await install(context, 'nano');
    expect([linkOf(context, 'usr/bin/vi'), owns(context.root, ['/usr/bin'])[0]?.packages]).toEqual([
      'nano',
      ['nano'],
    ]);
    await install(context, 'vim');
    expect(linkOf(context, 'usr/bin/vi')).toBe('vim');
    expect(problems(context)).toEqual([]);
    await undo(context);
    expect(linkOf(context, 'usr/bin/vi')).toBe('nano');
    await install(context, 'vim');
    await reinstall(context, 'vim', 'nano');
    expect(linkOf(context, 'usr/bin/vi')).toBe('vim');
    await remove(context, 'vim');
    expect(linkOf(context, 'usr/bin/vi')).toBe('nano');
    await remove(context, 'nano');
    expect(snapshot(context.root)['usr/bin/vi']).toBeUndefined();
    expect(problems(context)).toEqual([]);
  });

  it('are the operator\u2019s to choose', async () => {
    const context = depot.root();
    await install(context, 'nano', 'vim');
    const vi = join(context.root, 'usr/bin/vi');
    unlinkSync(vi);
    symlinkSync('nano', vi);
    expect(problems(context)).toEqual([]);
    await reinstall(context, 'vim');
    expect(linkOf(context, 'usr/bin/vi')).toBe('nano');
    await remove(context, 'nano');
    expect(linkOf(context, 'usr/bin/vi')).toBe('vim');
  });

  it('do not go together with a file at the same path', async () => {
    const context = depot.root();
    await expect(install(context, 'vim', 'elvis')).rejects.toThrow(
      '/usr/bin/vi is an alternative of vim, but a file of elvis',
    );
    await install(context, 'elvis');
    await expect(install(context, 'vim')).rejects.toThrow('but a file of elvis');
    await remove(context, 'elvis');
    await install(context, 'vim');
    await expect(install(context, 'elvis')).rejects.toThrow('belongs to vim, which is installed');
  });
});

it('lets an alternative take the place of a file that goes in the same transaction, and back', async () => {
  const context = depot.root();
  await install(context, 'elvis');
  await swap(context, 'elvis', 'vim');
  expect(linkOf(context, 'usr/bin/vi')).toBe('vim');
  expect(problems(context)).toEqual([]);
  await swap(context, 'vim', 'elvis');
  expect(text(context, 'usr/bin/vi')).toBe('elvis');
  expect(problems(context)).toEqual([]);
  await undo(context);
  expect(linkOf(context, 'usr/bin/vi')).toBe('vim');
});

it('gives hardlinks the owner that their file names', async () => {
  await depot.publish({
    name: 'linked',
    users: [{ name: 'linked', uid: 83 }],
    files: { 'srv/a': { text: 'a', user: 'linked' }, 'srv/b': { hard: 'srv/a' } },
  });
  const context = depot.root();
  await install(context, 'linked');
  if (asRoot) expect(statSync(join(context.root, 'srv/b')).uid).toBe(83);
  expect(problems(context)).toEqual([]);
});

describe('services', () => {
  it('are files of their package that runit understands', async () => {
    const context = depot.root();
    await install(context, 'base', 'web');
    expect(text(context, 'etc/sv/web/run')).toBe(
      "#!/bin/sh\nexec 2>&1\nexec chpst -u web /usr/bin/web '-p 80'\n",
    );
    expect(statSync(join(context.root, 'etc/sv/web/run')).mode & 0o777).toBe(0o755);
    expect(text(context, 'etc/service/web/finish')).toContain('sv down');
    expect(owns(context.root, ['/etc/sv/web/run'])[0]?.packages).toEqual(['web']);
    expect(problems(context)).toEqual([]);
    await remove(context, 'web');
    expect(Object.keys(snapshot(context.root)).filter((path) => /etc\/s(v|ervice)/.test(path))).toEqual([]);
  });

  it('stay disabled, and enabled, as the operator wants', async () => {
    const context = depot.root();
    await install(context, 'base', 'web');
    const enabled = join(context.root, 'etc/service/web');
    unlinkSync(enabled);
    expect(problems(context)).toEqual([]);
    await reinstall(context, 'web');
    expect(linkOf(context, 'etc/service/web')).toBeUndefined();
    symlinkSync('../sv/web', enabled);
    await reinstall(context, 'web');
    expect(linkOf(context, 'etc/service/web')).toBe('../sv/web');
    await remove(context, 'web');
    expect(linkOf(context, 'etc/service/web')).toBeUndefined();
  });
});

describe('scripts', () => {
  it('run around the moving of files, inside the root, and fail without undoing', async () => {
    const context = depot.root();
    addShell(context);
    const outcome = await install(context, 'scripted');
    expect(outcome.failedScripts).toEqual([]);
    expect(text(context, 'log')).toBe('preInstall 1.0.0-r0\npostInstall\n');
    const { failedScripts, notices } = await remove(context, 'scripted');
    expect(text(context, 'log')).toMatch(/preRemove\npostRemove\n$/);
    expect(failedScripts).toEqual([
      { package: 'scripted', script: 'postRemove', reason: 'exit status 3', output: 'broken' },
    ]);
    expect(notices).toEqual(['postRemove of scripted: exit status 3: broken']);
  });

  it('see the root and nothing else', async () => {
    const tests = [
      `! -e ${depot.folder}`,
      '! -e /var/lib/ice-pkg/state.sqlite',
      '-z "$SECRET"',
      '-d /etc/icepkg',
    ];
    const postInstall = tests.map((one) => `test ${one}`).join('\n');
    await depot.publish({ name: 'curious', arch: 'noarch', scripts: { postInstall } });
    const context = depot.root();
    addShell(context);
    process.env['SECRET'] = 'told';
    try {
      expect((await install(context, 'curious')).failedScripts).toEqual([]);
    } finally {
      delete process.env['SECRET'];
    }
  });

  it('are reported where the root has no shell, and never run for a foreign machine', async () => {
    const bare = await install(depot.root(), 'scripted');
    expect(bare.failedScripts.map(({ script }) => script)).toEqual(['preInstall', 'postInstall']);
    await depot.publish({ name: 'foreign', arch: 'noarch', scripts: { postInstall: 'echo ran >> /log' } });
    const context = depot.root({ arch: process.arch === 'arm64' ? 'x86_64' : 'aarch64' });
    addShell(context);
    const { notices, failedScripts } = await install(context, 'foreign');
    expect(failedScripts).toEqual([]);
    expect(notices).toEqual([expect.stringMatching(/^postInstall of foreign was not run: .* is foreign/)]);
    expect(snapshot(context.root)['log']).toBeUndefined();
  });
});

it('takes an upgrade of what is declared', async () => {
  const name = 'moving';
  await depot.publish({
    name,
    version: '1.0.0-r0',
    users: [{ name: 'mover' }],
    files: { 'usr/bin/ed': 'ed' },
  });
  const context = depot.root();
  await install(context, name);
  const uid = /mover:x:(\d+)/.exec(text(context, 'etc/passwd'))?.[1];
  await depot.publish({
    name,
    version: '1.1.0-r0',
    users: [{ name: 'mover' }, { name: 'other' }],
    services: [{ name: 'mover', command: ['/usr/bin/ed'], enable: true }],
    files: { 'usr/bin/ed.real': 'ed' },
    alternatives: [{ link: 'usr/bin/ed', target: 'ed.real', priority: 1 }],
  });
  await upgrade(context);
  expect(linkOf(context, 'usr/bin/ed')).toBe('ed.real');
  expect(/mover:x:(\d+)/.exec(text(context, 'etc/passwd'))?.[1]).toBe(uid);
  expect(text(context, 'etc/passwd')).toContain('other:x:');
  expect(linkOf(context, 'etc/service/mover')).toBe('../sv/mover');
  expect(problems(context)).toEqual([]);
  await undo(context);
  expect(readFileSync(join(context.root, 'usr/bin/ed'), 'utf8')).toBe('ed');
  expect(text(context, 'etc/passwd')).not.toContain('other');
  expect(linkOf(context, 'etc/service/mover')).toBeUndefined();
  expect(problems(context)).toEqual([]);
});

/** Roots in which somebody else can write: nothing outside is ever written, deleted or read for them. */
import Database from 'better-sqlite3';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { clean } from '#engine/queries/clean';
import { recoverRoot } from '#engine/recover';
import { rollback } from '#engine/rollback';
import { STATE_DIRECTORY, STATE_FILE } from '#engine/transaction/layout';
import { install, remove, undo } from '../declared/support.ts';
import { program } from '../cli/icepkg.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

const NOBODY = 65_534;
const byName = (a: string, b: string): number => (a < b ? -1 : 1);
const setting = { dryRun: false, confirm: () => true } as const;

let depot: Depot;
let root: EngineContext;
let outside: string;
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish(
    { name: 'plain', files: { 'usr/f': '1' } },
    { name: 'plain', version: '2.0.0-r0', files: { 'usr/f': '2' } },
    { name: 'spool', files: { 'var/spool/f': '1' } },
    { name: 'mounted', files: { 'srv/f': '1' } },
    { name: 'cache-link', files: { 'var/cache': { link: '/etc' } } },
    { name: 'cache-below', files: { 'var/cache/icepkg/packages': { link: '/etc' } } },
    { name: 'cache-file', files: { 'var/cache': 'file' } },
    { name: 'trust-link', files: { 'etc/icepkg/keys': { link: '/etc' } } },
    { name: 'offer', alternatives: [{ link: 'var/cache', target: '/etc', priority: 1 }] },
  );
});
afterAll(() => depot.dispose());
beforeEach(() => {
  root = depot.root();
  outside = mkdtempSync(join(depot.folder, 'outside-'));
  mkdirSync(join(outside, 'icepkg/packages'), { recursive: true });
  writeFileSync(join(outside, '1'), 'mine');
  writeFileSync(join(outside, 'icepkg/packages/2'), 'mine');
});
const at = (path: string): string => join(root.root, path);
const untouched = (): void => {
  expect(readdirSync(outside, { recursive: true }).map(String).toSorted(byName)).toEqual([
    '1',
    'icepkg',
    'icepkg/packages',
    'icepkg/packages/2',
  ]);
  expect(readFileSync(join(outside, '1'), 'utf8')).toBe('mine');
};

describe('a package cannot lead the folders of icepkg elsewhere', () => {
  test.each(['cache-link', 'cache-below', 'cache-file', 'trust-link', 'offer'])('%s', async (name) => {
    rmSync(at('var/cache'), { recursive: true, force: true });
    await expect(install(root, name)).rejects.toMatchObject({
      code: 'file-conflict',
      message: expect.stringContaining('belongs to icepkg itself') as string,
    });
  });
});

describe('a symlink in the place of a folder of icepkg', () => {
  const commands: readonly (readonly [string, (context: EngineContext) => unknown])[] = [
    ['a command that recovers', (context) => recoverRoot(context)],
    ['install', (context) => install(context, 'plain')],
    ['clean', ({ root: path }) => clean(path, { dryRun: false, keepUndo: 0 })],
  ];
  const places = ['var/cache', 'var/cache/icepkg', 'var/cache/icepkg/packages', 'var/lib/ice-pkg/trust'];
  test.each(places.flatMap((place) => commands.map(([name, run]) => [place, name, run] as const)))(
    '%s: %s is refused',
    async (place, _, run) => {
      rmSync(at(place), { recursive: true, force: true });
      mkdirSync(dirname(at(place)), { recursive: true });
      symlinkSync(outside, at(place));
      await expect((async () => run(root))()).rejects.toMatchObject({ code: 'path-unsafe' });
      untouched();
    },
  );

  test.each(['undo', 'stage'])('%s is not followed', async (name) => {
    symlinkSync(outside, at(`${STATE_DIRECTORY}/${name}`));
    await install(root, 'plain').catch((error: unknown) => expect(error).toMatchObject({ code: /./ }));
    await remove(root, 'plain').catch(() => undefined);
    await undo(root).catch(() => undefined);
    untouched();
  });

  test.each(['lock.pid', 'lock.sqlite'])('%s is not written through', async (name) => {
    rmSync(at(`${STATE_DIRECTORY}/${name}`), { force: true });
    symlinkSync(join(outside, '1'), at(`${STATE_DIRECTORY}/${name}`));
    await expect(install(root, 'plain')).rejects.toMatchObject({ code: 'path-unsafe' });
    untouched();
  });

  test("within the root is the operator's own way to keep the cache elsewhere", async () => {
    rmSync(at('var/cache'), { recursive: true, force: true });
    mkdirSync(at('data'));
    symlinkSync('../data', at('var/cache'));
    await install(root, 'plain');
    expect(existsSync(at('usr/f'))).toBe(true);
  });

  test('init makes nothing through one', () => {
    const fresh = mkdtempSync(join(depot.folder, 'fresh-'));
    symlinkSync(outside, join(fresh, 'var'));
    expect(() => initRoot(fresh, { arch: 'x86_64' })).toThrow('is a symlink');
    untouched();
  });
});

describe('a database that names what lies outside', () => {
  const tamper = (sql: string, ...values: readonly unknown[]): void => {
    const database = new Database(at(STATE_FILE));
    database.prepare(sql).run(...values);
    database.close();
  };
  const climbing = (): string => `usr/../../../../../../../../..${outside}/1`;

  test.each(['absent', 'directory', 'kept'])('in an undo row (%s)', async (prior) => {
    await install(root, 'plain@<2');
    tamper('UPDATE undo SET path = ?, prior = ? WHERE path = ?', climbing(), prior, 'usr/f');
    await expect(rollback(root, setting)).rejects.toMatchObject({ code: 'path-unsafe' });
    untouched();
  });

  test.each([
    { remove: [{ path: '', directory: false }] },
    { displace: [''], remove: [] },
    { directories: [{ path: '', mode: 0o777, uid: 0, gid: 0 }] },
    { areas: [''] },
  ])('in the journal: %j', (part) => {
    const journal = {
      transaction: 1,
      description: 'x',
      displace: [],
      remove: [],
      directories: [],
      areas: [],
    };
    const text = JSON.stringify({ ...journal, ...part }).replace('""', JSON.stringify(climbing()));
    tamper('INSERT INTO journal VALUES (1, 1, ?)', text);
    try {
      recoverRoot(root);
    } catch (error) {
      expect(error).toMatchObject({ code: 'io-failed' });
    }
    untouched();
  });

  test('in a row of files', async () => {
    await install(root, 'plain@<2');
    tamper('UPDATE files SET path = ? WHERE path = ?', climbing(), 'usr/f');
    await expect(remove(root, 'plain')).rejects.toMatchObject({ code: 'path-unsafe' });
    untouched();
  });
});

describe.runIf(process.getuid?.() === 0)('root', () => {
  test.each(['', 'var', 'var/lib/ice-pkg', STATE_FILE, 'etc/icepkg'])(
    'does nothing in a root where %j belongs to somebody else',
    async (path) => {
      chownSync(at(path), NOBODY, NOBODY);
      await expect(install(root, 'plain')).rejects.toMatchObject({
        code: 'path-unsafe',
        message: expect.stringContaining('belongs to user 65534') as string,
      });
    },
  );

  test('does nothing in a root that everybody may write to', async () => {
    chmodSync(at('var'), 0o777);
    await expect(install(root, 'plain')).rejects.toMatchObject({ code: 'path-unsafe' });
  });

  test('works for who called it by sudo', () => {
    chownSync(root.root, NOBODY, NOBODY);
    const run = spawnSync(process.execPath, program('list', '--root', root.root), {
      encoding: 'utf8',
      env: { ...process.env, SUDO_UID: String(NOBODY) },
    });
    expect(run).toMatchObject({ status: 0, stderr: 'nothing is installed\n' });
  });
});

const unshare = (...words: readonly string[]): readonly string[] => ['--mount', '--map-root-user', ...words];
const mayMount = spawnSync('unshare', unshare('mount', '-t', 'tmpfs', 'x', tmpdir())).status === 0;

describe.runIf(mayMount)('a file system below the root that others may write to', () => {
  /** Runs the program in a mount namespace of its own, after `prepare` with the mount point as $1. */
  const inMount = (prepare: string, words: readonly string[]): { status: number | null; told: string } => {
    mkdirSync(at('srv'), { recursive: true });
    const script = `mount -t tmpfs x "$1" && { ${prepare}; } && shift 2 && exec "$@"`;
    const command = [process.execPath, ...program(...words, '--root', root.root)];
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      unshare('sh', '-c', script, 'sh', at('srv'), outside, ...command),
      { encoding: 'utf8' },
    );
    return { status, told: stdout + stderr };
  };

  test.each(['mkdir "$1/.icepkg"; ln -s "$2" "$1/.icepkg/undo"', 'ln -s "$2" "$1/.icepkg"'])(
    'is left alone by recovery: %s',
    (prepare) => {
      mkdirSync(at(`${STATE_DIRECTORY}/stage`));
      inMount(`chmod 1777 "$1"; ${prepare}`, ['autoremove', '--yes']);
      untouched();
    },
  );

  test('is written to only by a way that nobody else can change', () => {
    const { status, told } = inMount('mkdir -m 777 "$1/.icepkg"', ['install', 'mounted', '--yes']);
    expect(told).toContain('others may write to srv/.icepkg');
    expect(status).toBe(5);
    untouched();
  });

  test('and that nothing is put on does not matter', () => {
    const { status, told } = inMount('mkdir -m 777 "$1/.icepkg"', ['install', 'plain', '--yes']);
    expect({ status, told }).toMatchObject({ status: 0 });
  });

  test.each(['var', 'var/lib/ice-pkg'])('that holds the state: %s', (mount) => {
    const fresh = mkdtempSync(join(depot.folder, 'apart-'));
    mkdirSync(join(fresh, mount), { recursive: true });
    const node = [process.execPath, ...program()].map((word) => `'${word}'`).join(' ');
    const steps = [
      ['init', '--arch', 'x86_64', '--repository', `main=${depot.repository}`, '--trust', depot.trustedRoot],
      ['install', "'plain@<2'", 'spool', '--yes'],
      ['install', 'plain', '--yes'],
      ['verify'],
      ['rollback', '--yes'],
      ['verify'],
      ['clean', '--undo', '0'],
      ['remove', 'plain', 'spool', '--yes'],
    ].map((words) => `${node} ${words.join(' ')} --root ${fresh}`);
    const script = ['set -e', `mount -t tmpfs x ${join(fresh, mount)}`, ...steps].join('\n');
    const { status, stderr } = spawnSync('unshare', unshare('sh', '-c', script), { encoding: 'utf8' });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    expect(existsSync(join(fresh, 'usr'))).toBe(false);
    expect(readdirSync(join(fresh, '.icepkg'))).toEqual(['undo']);
  });
});

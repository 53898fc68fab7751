/** A real process, really killed; and everything else that can be wrong with a root. */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, it } from 'vitest';
import { openContext } from '#engine/context';
import { recoverRoot } from '#engine/recover';
import { rollback } from '#engine/rollback';
import type { OwnedFile } from '#engine/store/model';
import { openStore } from '#engine/store/store';
import { change, contextOf, makeRoot, removeRoot, snapshot, type Tree } from './fixture.ts';

const roots: string[] = [];
const newRoot = (): string => {
  const root = makeRoot();
  roots.push(root);
  return root;
};
afterEach(() => {
  for (const root of roots.splice(0)) removeRoot(root);
});

const files = (version: string): Tree =>
  Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`usr/share/p${i % 4}/f${i}`, `${version} ${i}`]));
const OLD = files('one');
const NEW: Tree = { ...files('two'), 'usr/share/p0': { link: 'elsewhere' }, 'etc/p.conf': 'x' };
for (const path of Object.keys(NEW))
  if (path.startsWith('usr/share/p0/')) delete (NEW as Record<string, unknown>)[path];

const child = (...words: readonly string[]): readonly string[] => [
  '--conditions=source',
  '--import',
  'tsx',
  join(import.meta.dirname, 'kill-child.ts'),
  ...words,
];

it.each([
  ['change', [2, 30, 60, 80, 88, 100, 119, 121]],
  ['rollback', [2, 45, 80, 84, 86, 90, 100, 125]],
] as const)('survives SIGKILL in a %s', (scenario, steps) => {
  const origin = newRoot();
  const config = { 'usr/share/p0': { directory: 0o755 } } as const;
  change(contextOf(origin), 'p', { ...OLD, ...config });
  if (scenario === 'rollback') change(contextOf(origin), 'p', NEW);
  const old = snapshot(origin);
  const done = `${origin}-done`;
  roots.push(done);
  cpSync(origin, done, { recursive: true, verbatimSymlinks: true });
  spawnSync(process.execPath, child(done, scenario, '0', JSON.stringify(NEW)), { stdio: 'inherit' });
  const fresh = snapshot(done);
  expect(fresh).not.toEqual(old);
  for (const step of steps) {
    const root = `${origin}-${step}`;
    roots.push(root);
    cpSync(origin, root, { recursive: true, verbatimSymlinks: true });
    const killed = spawnSync(process.execPath, child(root, scenario, String(step), JSON.stringify(NEW)));
    const messages: string[] = [];
    recoverRoot(contextOf(root, { onProgress: (told) => messages.push(JSON.stringify(told)) }));
    const found = snapshot(root);
    const store = openStore(root, { mode: 'read' });
    const committed = store.history().length === openedHistory(done);
    store.close();
    expect(found, `killed at ${step}`).toEqual(committed ? fresh : old);
    if (killed.signal === 'SIGKILL') expect(messages).toHaveLength(1);
    change(contextOf(root), 'q', { 'opt/q': 'q' });
  }
});

function openedHistory(root: string): number {
  const store = openStore(root, { mode: 'read' });
  try {
    return store.history().length;
  } finally {
    store.close();
  }
}

it('names the process that holds the lock, and forgets a dead one', async () => {
  const root = newRoot();
  const held = openStore(root, { mode: 'write' });
  expect(() => openStore(root, { mode: 'write' })).toThrow(new RegExp(`process ${process.pid}`, 'u'));
  held.close();
  const holder = spawn(
    process.execPath,
    [
      '--conditions=source',
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      `import { openStore } from '#engine/store/store'; openStore(${JSON.stringify(root)}, { mode: 'write' }); console.log('held'); setInterval(() => {}, 1000)`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], cwd: join(import.meta.dirname, '../..') },
  );
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  expect(() => openStore(root, { mode: 'write' })).toThrow(`process ${holder.pid}`);
  holder.kill('SIGKILL');
  await new Promise((resolve) => holder.once('exit', resolve));
  openStore(root, { mode: 'write' }).close();
});

it('refuses databases that are cut off, empty, foreign or newer', () => {
  const root = newRoot();
  change(contextOf(root), 'p', OLD);
  const file = join(root, 'var/lib/ice-pkg/state.sqlite');
  const whole = readFileSync(file);
  const opened = (): unknown => openStore(root, { mode: 'write' }).close();
  truncateSync(file, Math.floor(statSync(file).size / 2));
  expect(opened).toThrow(expect.objectContaining({ code: 'store-corrupt' }));
  truncateSync(file, 0);
  expect(opened).toThrow(expect.objectContaining({ code: 'store-corrupt' }));
  writeFileSync(file, 'not a database, but long enough to be looked at as one: '.repeat(50));
  expect(opened).toThrow(expect.objectContaining({ code: 'store-corrupt' }));
  writeFileSync(file, whole);
  const database = new Database(file);
  database.pragma('user_version = 99');
  database.close();
  expect(opened).toThrow(expect.objectContaining({ code: 'store-newer' }));
});

it('reads a database of the first version, and brings it to its own where it writes', () => {
  const root = newRoot();
  change(contextOf(root), 'p', OLD);
  const database = new Database(join(root, 'var/lib/ice-pkg/state.sqlite'));
  database.exec('ALTER TABLE files DROP COLUMN edited; PRAGMA user_version = 1');
  database.close();
  const rows = (mode: 'read' | 'write'): readonly OwnedFile[] => {
    const store = openStore(root, { mode });
    const files = store.filesOf('p');
    store.close();
    return files;
  };
  expect(rows('read')).toEqual(rows('write'));
  change(contextOf(root), 'p', NEW);
});

it('refuses a root that is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-noroot-'));
  roots.push(folder);
  expect(() => openContext({ root: folder })).toThrow(expect.objectContaining({ code: 'root-invalid' }));
  expect(() => openContext({ root: join(folder, 'absent') })).toThrow(/does not exist/u);
  writeFileSync(join(folder, 'file'), '');
  expect(() => openContext({ root: join(folder, 'file') })).toThrow(/not a directory/u);
});

it('keeps a configuration file that was changed since, on rollback', async () => {
  const root = newRoot();
  change(contextOf(root), 'p', { 'etc/p.conf': 'one', 'usr/p': 'one' });
  change(contextOf(root), 'p', { 'etc/p.conf': 'two', 'usr/p': 'two' });
  writeFileSync(join(root, 'etc/p.conf'), 'mine');
  const outcome = await rollback(contextOf(root), { dryRun: false, confirm: () => true });
  expect(outcome.notices).toEqual(['kept /etc/p.conf, which was changed since']);
  expect(readFileSync(join(root, 'etc/p.conf'), 'utf8')).toBe('mine');
  expect(readFileSync(join(root, 'usr/p'), 'utf8')).toBe('one');
});

it('goes back and forth over several transactions, and forgets beyond history.keep', async () => {
  const root = newRoot();
  const states = [snapshot(root)];
  for (const n of [1, 2, 3]) {
    change(contextOf(root), 'p', { 'usr/p': `${n}`, [`usr/only${n}`]: `${n}` });
    states.push(snapshot(root));
  }
  const yes = { dryRun: false, confirm: () => true };
  await rollback(contextOf(root), { ...yes, to: 2 });
  expect(snapshot(root)).toEqual(states[1]);
  await rollback(contextOf(root), yes);
  expect(snapshot(root)).toEqual(states[3]);
  await rollback(contextOf(root), { ...yes, to: 1 });
  expect(snapshot(root)).toEqual(states[0]);
  const config = { history: { keep: 1 } } as ReturnType<typeof contextOf>['config'];
  change(contextOf(root, { config }), 'p', { 'usr/p': 'new' });
  await expect(rollback(contextOf(root), { ...yes, to: 2 })).rejects.toThrow(/no longer kept/u);
});

it.runIf(process.getuid?.() === 0)('leaves the root as it was when the disk fills up', () => {
  const mount = mkdtempSync(join(tmpdir(), 'icepkg-full-'));
  roots.push(mount);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mount]);
  if (mounted.status !== 0) return;
  try {
    const template = newRoot();
    change(contextOf(template), 'p', OLD);
    for (let filler = 2_900_000; filler > 1_600_000; filler -= 50_000) {
      const root = join(mount, 'root');
      mkdirSync(root);
      cpSync(template, root, { recursive: true, verbatimSymlinks: true });
      const old = snapshot(root);
      try {
        writeFileSync(join(mount, 'filler'), Buffer.alloc(filler));
      } catch {
        // The disk is as full as it gets.
      }
      let failed = false;
      try {
        change(contextOf(root), 'q', { 'opt/q': 'q'.repeat(200_000), 'opt/r': 'r'.repeat(200_000) });
      } catch {
        failed = true;
      }
      if (failed) expect(snapshot(root)).toEqual(old);
      rmSync(join(mount, 'filler'), { force: true });
      change(contextOf(root), 'q', { 'opt/q': 'again' });
      expect(readFileSync(join(root, 'opt/q'), 'utf8')).toBe('again');
      rmSync(root, { recursive: true });
    }
  } finally {
    spawnSync('umount', [mount]);
  }
});

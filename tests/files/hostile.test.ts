/** Packages and processes that try to lead the installer out of the root, and file systems that are in the way. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writePackage, type PackageEntry } from '#schema/container/write';
import { IcepkgError } from '#schema/error';
import { initRoot } from '#engine/init-root';
import { icepkg } from '../cli/icepkg.ts';
import { makeRoot, type Root, type Tree } from './fixture.ts';

const NOBODY = 65_534;
const asRoot = test.runIf(process.getuid?.() === 0);

let root: Root;
let outside: string;
beforeEach(() => {
  root = makeRoot();
  outside = mkdtempSync(join(tmpdir(), 'icepkg-outside-'));
});
afterEach(() => {
  root.dispose();
  rmSync(outside, { recursive: true, force: true });
});
const at = (path: string): string => join(root.path, path);

describe('a package', () => {
  const refused: readonly (readonly [string, (outside: string) => Tree])[] = [
    ['writes through its own symlink', (to) => ({ trap: { link: to }, 'trap/f': 'x' })],
    ['climbs', () => ({ '../f': 'x' })],
    ['climbs on the way', () => ({ 'a/../../f': 'x' })],
    ['names an absolute path', (to) => ({ [`${to}/f`]: 'x' })],
    ['hardlinks what it does not hold', () => ({ f: { hard: 'etc/passwd' } })],
    ['hardlinks what lies outside', () => ({ f: { hard: '../secret' } })],
    ['takes the place of its own state', () => ({ 'var/lib': { link: '/tmp' } })],
  ];
  test.each(refused)('that %s is refused', async (_, tree) => {
    await expect(root.apply([{ name: 'a', tree: tree(outside) }])).rejects.toBeInstanceOf(IcepkgError);
    expect(readdirSync(outside)).toEqual([]);
    expect(existsSync(at('../f'))).toBe(false);
    expect(existsSync(at('f'))).toBe(false);
  });

  test('whose directory becomes a symlink to the outside in the next version stays inside', async () => {
    await root.apply([{ name: 'a', tree: { d: { mode: 0o755 }, 'd/f': '1' } }]);
    await root.apply([
      { name: 'a', tree: { d: { link: outside } } },
      { name: 'b', tree: { 'd/f': '2', 'd/e/g': '2' } },
    ]);
    expect(readdirSync(outside)).toEqual([]);
    await root.apply([{ name: 'a' }, { name: 'b' }]);
    expect(readdirSync(outside)).toEqual([]);
  });

  test('is removed without following a symlink that took the place of its directory', async () => {
    writeFileSync(join(outside, 'f'), 'mine');
    await root.apply([{ name: 'a', tree: { d: { mode: 0o755 }, 'd/f': '1' } }]);
    rmSync(at('d'), { recursive: true });
    symlinkSync(outside, at('d'));
    await root.apply([{ name: 'a' }]);
    expect(readdirSync(outside)).toEqual(['f']);
  });
});

/** Swaps the directory `name` for a symlink to the outside and back, as fast as it can. */
function swapper(name: string): ChildProcess {
  const script = `
    const fs = require('node:fs');
    const [real, aside, link] = process.argv.slice(1);
    const swap = (from, to) => { try { fs.renameSync(from, to); } catch {} };
    for (;;) {
      swap(real, aside); swap(link, real); swap(real, link); swap(aside, real);
    }`;
  symlinkSync(outside, at(`${name}.link`));
  return spawn(process.execPath, ['-e', script, at(name), at(`${name}.aside`), at(`${name}.link`)]);
}

describe('a process that swaps directories meanwhile', () => {
  test.each(['usr', 'usr/lib'])('%s is never followed outside', async (name) => {
    writeFileSync(join(outside, 'f0'), 'mine');
    mkdirSync(at('usr/lib'), { recursive: true });
    const child = swapper(name);
    try {
      await setTimeout(100);
      for (let round = 0; round < 12; round++) {
        const files = Array.from({ length: 30 }, (_, i) => [`usr/lib/f${i}`, `${round}`] as const);
        const tree: Tree | undefined = round % 3 === 2 ? undefined : Object.fromEntries(files);
        await root
          .apply([tree === undefined ? { name: 'a' } : { name: 'a', tree }])
          .catch((error: unknown) => {
            if (!(error instanceof IcepkgError)) throw error;
          });
      }
    } finally {
      child.kill('SIGKILL');
      await new Promise((resolve) => child.on('exit', resolve));
    }
    expect(readdirSync(outside)).toEqual(['f0']);
    expect(readFileSync(join(outside, 'f0'), 'utf8')).toBe('mine');
  });
});

const SPECIAL: readonly PackageEntry[] = [
  { type: 'directory', path: 'dev', mode: 0o755 },
  { type: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
  { type: 'fifo', path: 'dev/pipe', mode: 0o600 },
  { type: 'directory', path: 'usr', mode: 0o755 },
  { type: 'directory', path: 'usr/closed', mode: 0o555 },
  { type: 'file', path: 'usr/closed/f', mode: 0o444, content: Buffer.from('f') },
  { type: 'file', path: 'usr/su', mode: 0o4755, uid: 0, gid: 0, content: Buffer.from('su') },
  { type: 'file', path: 'usr/mine', mode: 0o640, uid: 12, gid: 34, content: Buffer.from('mine') },
  { type: 'symlink', path: 'usr/link', target: 'su', uid: 12, gid: 34 },
];

describe('special files, owners and set-id bits', () => {
  const pack = async (version: string): Promise<string> => {
    const { file } = await writePackage({
      metadata: { name: 'special', version, arch: 'noarch' },
      entries: [...SPECIAL],
      output: join(outside, `special-${version}.icepkg`),
      codec: 'zstd',
      level: 1,
    });
    return file;
  };

  /** Installs, upgrades, removes and rolls back with the real program. */
  const wholeLife = async (uid: number): Promise<string> => {
    const target = join(outside, 'root');
    initRoot(target, { arch: 'x86_64' });
    chmodSync(outside, 0o755);
    spawnSync('chown', ['-R', `${uid}:${uid}`, target]);
    const files = [await pack('1.0.0-r0'), await pack('2.0.0-r0')];
    let told = '';
    const run = (...words: readonly string[]): void => {
      const { status, stderr } = icepkg([...words, '--root', target, '--offline'], { uid });
      told += stderr;
      expect({ words, status, stderr: status === 0 ? '' : stderr }).toEqual({ words, status: 0, stderr: '' });
      const verified = icepkg(['verify', '--root', target], { uid });
      expect({ words, ...verified }).toMatchObject({ words, status: 0, stderr: '' });
    };
    for (const file of files) run('install', file, '--allow-untrusted', '--yes');
    run('remove', 'special', '--yes');
    expect(existsSync(join(target, 'usr'))).toBe(false);
    run('rollback', '--yes');
    run('rollback', '1', '--yes');
    expect(existsSync(join(target, 'usr'))).toBe(false);
    run('install', ...files.slice(0, 1), '--allow-untrusted', '--yes');
    return told;
  };

  asRoot('are kept by root', async () => {
    await wholeLife(0);
    const stats = (path: string) => lstatSync(join(outside, 'root', path));
    expect(stats('dev/null').isCharacterDevice()).toBe(true);
    expect(stats('dev/null').rdev).toBe(0x103);
    expect(stats('dev/pipe').isFIFO()).toBe(true);
    expect(stats('usr/su').mode & 0o7777).toBe(0o4755);
    expect([stats('usr/mine').uid, stats('usr/mine').gid]).toEqual([12, 34]);
    expect([stats('usr/link').uid, stats('usr/link').gid]).toEqual([12, 34]);
    expect(stats('usr/closed').mode & 0o7777).toBe(0o555);
  });

  asRoot('are recorded and reported to an ordinary user', async () => {
    const told = await wholeLife(NOBODY);
    expect(told).toContain('could not be given their owner or kind');
    const stats = (path: string) => lstatSync(join(outside, 'root', path));
    expect(existsSync(join(outside, 'root/dev/null'))).toBe(false);
    expect(stats('usr/su').mode & 0o7777).toBe(0o755);
    expect(stats('usr/mine').uid).toBe(NOBODY);
    expect(stats('usr/closed').mode & 0o7777).toBe(0o555);
  });
});

/** A tmpfs below the root for as long as `work` takes. */
async function mounted(where: string, size: string, work: () => Promise<void>): Promise<void> {
  mkdirSync(where, { recursive: true });
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'tmpfs', where]).status).toBe(0);
  try {
    await work();
  } finally {
    spawnSync('umount', ['-l', where]);
  }
}

describe('file systems mounted below the root', () => {
  asRoot('files are staged and kept on the one they belong to', async () => {
    await mounted(at('boot'), '4m', async () => {
      const tree = (text: string): Tree => ({
        'boot/kernel': text,
        'boot/dtb': { mode: 0o755 },
        'boot/dtb/board': text,
        'usr/f': text,
      });
      await root.apply([{ name: 'a', tree: tree('1') }]);
      await root.apply([{ name: 'a', tree: tree('2') }]);
      expect(statSync(at('boot/kernel')).dev).toBe(statSync(at('boot')).dev);
      expect(statSync(at('boot/kernel')).dev).not.toBe(statSync(at('usr/f')).dev);
      expect(readFileSync(at('boot/dtb/board'), 'utf8')).toBe('2');
      expect(existsSync(at('boot/.icepkg/stage'))).toBe(false);
      await root.apply([{ name: 'a' }]);
      expect(readdirSync(at('boot'))).toEqual(['.icepkg']);
    });
  });

  asRoot('a full one changes nothing, whichever write it is that fails', async () => {
    const outcomes = new Set<string>();
    for (let size = 64; size <= 768; size += 64) {
      await mounted(at('boot'), `${size}k`, async () => {
        await root.apply([{ name: 'a', tree: { 'boot/f': 'old', 'usr/f': 'old' } }]).catch(() => undefined);
        const before = existsSync(at('boot/f')) ? 'old' : 'none';
        const tree = { 'boot/f': 'x'.repeat(100_000), 'boot/g': 'y'.repeat(50_000), 'usr/f': 'new' };
        const outcome = await root.apply([{ name: 'a', tree }]).then(
          () => 'done',
          (error: unknown) => (error instanceof IcepkgError ? error.code : String(error)),
        );
        outcomes.add(outcome);
        expect(['done', 'disk-full']).toContain(outcome);
        const found = existsSync(at('boot/f')) ? readFileSync(at('boot/f'), 'utf8').slice(0, 3) : 'none';
        expect(found).toBe(outcome === 'done' ? 'xxx' : before);
        if (existsSync(at('usr/f')))
          expect(readFileSync(at('usr/f'), 'utf8')).toBe(outcome === 'done' ? 'new' : before);
        await root.apply([{ name: 'a' }]);
        expect(existsSync(at('usr/f'))).toBe(false);
      });
    }
    expect([...outcomes].sort()).toEqual(['disk-full', 'done']);
  });
});

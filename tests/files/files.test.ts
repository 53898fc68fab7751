import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  openSync,
  writeSync,
  closeSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeRoot, type Root, type Tree } from './fixture.ts';

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
const read = (path: string): string => readFileSync(at(path), 'utf8');
const conflict = (code: string, text: string): object =>
  expect.objectContaining({ code, message: expect.stringContaining(text) as string });

describe('contents', () => {
  test.each(['xz', 'zstd'] as const)('every kind of path arrives (%s)', async (codec) => {
    const big = 'x'.repeat(5 * 1024 * 1024);
    await root.apply([
      {
        name: 'a',
        codec,
        tree: {
          usr: { mode: 0o755 },
          'usr/empty': '',
          'usr/file': 'hello',
          'usr/big': big,
          'usr/hard': { hard: 'usr/file' },
          'usr/link': { link: 'file' },
          'usr/run': { exec: '#!', mode: 0o4755 },
          private: { mode: 0o500 },
        },
      },
    ]);
    expect(read('usr/file')).toBe('hello');
    expect(read('usr/big') === big).toBe(true);
    expect(read('usr/empty')).toBe('');
    expect(readlinkSync(at('usr/link'))).toBe('file');
    expect(lstatSync(at('usr/hard')).ino).toBe(lstatSync(at('usr/file')).ino);
    expect(lstatSync(at('private')).mode & 0o7777).toBe(0o500);
    if (process.getuid?.() === 0) expect(lstatSync(at('usr/run')).mode & 0o7777).toBe(0o4755);
  });

  test('a damaged or truncated package changes nothing', async () => {
    const flip = (file: string): void => {
      const fd = openSync(file, 'r+');
      writeSync(fd, Buffer.from('damage'), 0, 6, statSync(file).size - 20);
      closeSync(fd);
    };
    const cut = (file: string): void => truncateSync(file, statSync(file).size - 10);
    for (const damage of [flip, cut]) {
      await expect(root.apply([{ name: 'a', tree: { f: 'hello' } }], { damage })).rejects.toEqual(
        conflict('package-corrupt', 'a-1.0.0-r0'),
      );
      expect(existsSync(at('f'))).toBe(false);
    }
    await root.apply([{ name: 'a', tree: { f: 'hello' } }]);
    expect(read('f')).toBe('hello');
  });
});

describe('escapes', () => {
  test('a symlink on the disk that leads out stays inside, as in a chroot', async () => {
    symlinkSync(outside, at('trap'));
    symlinkSync('../../../../../..', at('up'));
    await root.apply([{ name: 'a', tree: { 'trap/f': '1', 'up/g': '2' } }]);
    expect(readdirSync(outside)).toEqual([]);
    expect(read('g')).toBe('2');
    expect(read(`${outside.slice(1)}/f`)).toBe('1');
  });

  test("another package's symlink that leads out stays inside", async () => {
    await root.apply([
      { name: 'a', tree: { trap: { link: outside } } },
      { name: 'b', tree: { 'trap/f': '1' } },
    ]);
    await root.apply([{ name: 'c', tree: { 'trap/g': '1' } }]);
    expect(readdirSync(outside)).toEqual([]);
    expect(root.owners(`${outside.slice(1)}/g`)).toEqual(['c']);
  });

  test('a directory swapped for a symlink after planning is not followed', async () => {
    mkdirSync(at('usr'));
    const planned = (): void => {
      rmSync(at('usr'), { recursive: true });
      symlinkSync(outside, at('usr'));
    };
    await root.apply([{ name: 'a', tree: { 'usr/f': '1' } }], { planned }).catch(() => undefined);
    expect(readdirSync(outside)).toEqual([]);
  });

  test('a symlink that leads to itself is refused', async () => {
    symlinkSync('loop', at('loop'));
    await expect(root.apply([{ name: 'a', tree: { 'loop/f': '1' } }])).rejects.toEqual(
      conflict('path-unsafe', 'loop'),
    );
  });

  test("icepkg's own state is nobody's", async () => {
    await expect(root.apply([{ name: 'a', tree: { 'var/lib/ice-pkg/x': '1' } }])).rejects.toEqual(
      conflict('file-conflict', 'belongs to icepkg'),
    );
  });
});

describe('conflicts', () => {
  test('all are reported at once and nothing is written', async () => {
    writeFileSync(at('mine'), 'operator');
    await root.apply([{ name: 'old', tree: { shared: 'old' } }]);
    const attempt = root.apply([
      { name: 'a', tree: { shared: 'a', both: 'a', mine: 'a', fine: 'a' } },
      { name: 'b', tree: { both: 'b' } },
    ]);
    await expect(attempt).rejects.toEqual(conflict('file-conflict', 'shared of a belongs to old'));
    await expect(attempt).rejects.toEqual(conflict('file-conflict', 'both is in both a and b'));
    await expect(attempt).rejects.toEqual(conflict('file-conflict', 'mine of a exists already'));
    expect(existsSync(at('fine'))).toBe(false);
    expect(read('mine')).toBe('operator');
  });

  test('overwrite lets an unowned file be taken', async () => {
    writeFileSync(at('mine'), 'operator');
    await root.apply([{ name: 'a', tree: { mine: 'a' } }], { overwrite: ['mi*'] });
    expect(read('mine')).toBe('a');
  });

  test('overwrite takes back what ! names', async () => {
    writeFileSync(at('mine'), 'operator');
    const attempt = root.apply([{ name: 'a', tree: { mine: 'a' } }], { overwrite: ['m*', '!*e'] });
    await expect(attempt).rejects.toEqual(conflict('file-conflict', 'mine of a exists already'));
    expect(read('mine')).toBe('operator');
  });

  test('replaces with a range takes over files of versions in it only', async () => {
    await root.apply([{ name: 'old', tree: { f: 'old' } }]);
    const beyond = [{ name: 'new', tree: { f: 'new' }, replaces: ['old@<1'] }];
    await expect(root.apply(beyond)).rejects.toEqual(conflict('file-conflict', 'f of new belongs to old'));
    await root.apply([{ name: 'new', tree: { f: 'new' }, replaces: ['old@<2'] }]);
    expect(root.owners('f')).toEqual(['new']);
  });

  test('replaces takes a file over, and it outlives the package it came from', async () => {
    await root.apply([{ name: 'old', tree: { f: 'old', g: 'old' } }]);
    await root.apply([{ name: 'new', tree: { f: 'new' }, replaces: ['old'] }]);
    expect(root.owners('f')).toEqual(['new']);
    await root.apply([{ name: 'old' }]);
    expect(read('f')).toBe('new');
    expect(existsSync(at('g'))).toBe(false);
  });

  test('two names of one file through a symlinked directory conflict', async () => {
    await root.apply([{ name: 'base', tree: { 'usr/lib': { mode: 0o755 }, lib: { link: 'usr/lib' } } }]);
    await root.apply([{ name: 'a', tree: { 'lib/x': 'a' } }]);
    expect(root.owners('usr/lib/x')).toEqual(['a']);
    await expect(root.apply([{ name: 'b', tree: { 'usr/lib/x': 'b' } }])).rejects.toEqual(
      conflict('file-conflict', 'usr/lib/x of b belongs to a'),
    );
  });
});

describe('swaps and moves', () => {
  const kinds = {
    file: { x: 'file' },
    link: { x: { link: 'y' }, y: { mode: 0o755 } },
    directory: { x: { mode: 0o755 }, 'x/in': 'inside' },
  };
  for (const [from, before] of Object.entries(kinds)) {
    for (const [to, after] of Object.entries(kinds)) {
      test(`${from} becomes ${to}`, async () => {
        await root.apply([{ name: 'a', tree: before }]);
        await root.apply([{ name: 'a', tree: after }]);
        const stats = lstatSync(at('x'));
        expect([stats.isFile(), stats.isSymbolicLink(), stats.isDirectory()]).toEqual(
          ['file', 'link', 'directory'].map((kind) => kind === to),
        );
        await root.apply([{ name: 'a' }]);
        expect(existsSync(at('x'))).toBe(false);
      });
    }
  }

  test('a directory that holds what nobody owns does not give way', async () => {
    await root.apply([{ name: 'a', tree: kinds.directory }]);
    writeFileSync(at('x/mine'), 'operator');
    await expect(root.apply([{ name: 'a', tree: kinds.file }])).rejects.toEqual(
      conflict('file-conflict', 'x/mine'),
    );
    expect(read('x/in')).toBe('inside');
  });

  test('a file moves between packages in one transaction', async () => {
    await root.apply([
      { name: 'a', tree: { f: '1', g: '1' } },
      { name: 'b', tree: { h: '1' } },
    ]);
    await root.apply([
      { name: 'a', tree: { g: '2' } },
      { name: 'b', tree: { f: '2', h: '2' } },
    ]);
    expect(root.owners('f')).toEqual(['b']);
    expect(read('f')).toBe('2');
  });

  test('a directory goes with its last owner, unless something is left in it', async () => {
    await root.apply([
      { name: 'a', tree: { d: { mode: 0o755 }, e: { mode: 0o755 }, 'd/a': '' } },
      { name: 'b', tree: { d: { mode: 0o755 } } },
    ]);
    writeFileSync(at('e/mine'), '');
    await root.apply([{ name: 'a' }]);
    expect(readdirSync(at('d'))).toEqual([]);
    expect(readdirSync(at('e'))).toEqual(['mine']);
    await root.apply([{ name: 'b' }]);
    expect(existsSync(at('d'))).toBe(false);
  });
});

describe('configuration files', () => {
  const version = (config: string): { name: string; tree: { 'etc/c': { config: string } } }[] => [
    { name: 'a', tree: { 'etc/c': { config } } },
  ];
  beforeEach(() => root.apply(version('1')));

  test('unchanged: replaced; changed: the new one lands beside', async () => {
    await root.apply(version('2'));
    expect(read('etc/c')).toBe('2');
    writeFileSync(at('etc/c'), 'mine');
    const notices = await root.apply(version('3'));
    expect([read('etc/c'), read('etc/c.icepkg-new')]).toEqual(['mine', '3']);
    expect(notices.join()).toContain('etc/c.icepkg-new');
  });

  test('changed, but the package brings nothing new: kept', async () => {
    writeFileSync(at('etc/c'), 'mine');
    await root.apply(version('1'));
    expect(read('etc/c')).toBe('mine');
    expect(existsSync(at('etc/c.icepkg-new'))).toBe(false);
  });

  test('deleted: comes back with the next version', async () => {
    unlinkSync(at('etc/c'));
    await root.apply(version('2'));
    expect(read('etc/c')).toBe('2');
  });

  test('removal keeps a changed one aside and takes an unchanged one', async () => {
    writeFileSync(at('etc/c'), 'mine');
    await root.apply([{ name: 'a' }]);
    expect(existsSync(at('etc/c'))).toBe(false);
    expect(read('etc/c.icepkg-save')).toBe('mine');
  });

  test('saved again and again: nothing that was saved before is lost', async () => {
    for (const text of ['first', 'second', 'third']) {
      await root.apply(version('1'));
      writeFileSync(at('etc/c'), text);
      await root.apply([{ name: 'a' }]);
    }
    expect(['', '.1', '.2'].map((suffix) => read(`etc/c.icepkg-save${suffix}`))).toEqual([
      'first',
      'second',
      'third',
    ]);
  });

  const swaps: readonly (readonly [string, Tree, string])[] = [
    ['it becomes a directory', { 'opt/c': { mode: 0o755 }, 'opt/c/part': 'x' }, 'opt/c.icepkg-save'],
    ['it becomes a symlink', { 'opt/c': { link: 'elsewhere' } }, 'opt/c.icepkg-save'],
    ['its directory becomes a file', { opt: 'a file' }, 'opt.icepkg-save/c'],
    ['its directory becomes a symlink', { opt: { link: 'usr' }, usr: { mode: 0o755 } }, 'opt.icepkg-save/c'],
  ];
  test.each(swaps)('changed, and %s: kept aside', async (_, tree, saved) => {
    await root.apply([{ name: 'a', tree: { opt: { mode: 0o755 }, 'opt/c': { config: '1' } } }]);
    writeFileSync(at('opt/c'), 'mine');
    const notices = await root.apply([{ name: 'a', tree }]);
    expect(read(saved)).toBe('mine');
    expect(notices.join()).toContain(saved);
  });

  test("the operator's symlink in its place stays, the new one lands beside", async () => {
    unlinkSync(at('etc/c'));
    symlinkSync('mine', at('etc/c'));
    writeFileSync(at('etc/mine'), 'mine');
    await root.apply(version('2'));
    expect([readlinkSync(at('etc/c')), read('etc/mine'), read('etc/c.icepkg-new')]).toEqual([
      'mine',
      'mine',
      '2',
    ]);
  });

  test('moved to another package: what was changed stays', async () => {
    writeFileSync(at('etc/c'), 'mine');
    await root.apply([
      { name: 'a', tree: {} },
      { name: 'b', tree: { 'etc/c': { config: '2' } } },
    ]);
    expect([read('etc/c'), read('etc/c.icepkg-new')]).toEqual(['mine', '2']);
    expect(root.owners('etc/c')).toEqual(['b']);
  });
});

describe('what the operator says of paths', () => {
  test('kept paths are never replaced, changed or not', async () => {
    const keep = ['etc/*', '!etc/other'];
    await root.apply([{ name: 'a', tree: { 'etc/own': '1', 'etc/other': '1' } }], { keep });
    await root.apply([{ name: 'a', tree: { 'etc/own': '2', 'etc/other': '2' } }], { keep });
    expect(['etc/own', 'etc/own.icepkg-new', 'etc/other'].map(read)).toEqual(['1', '2', '2']);
    expect(existsSync(at('etc/other.icepkg-new'))).toBe(false);
  });

  test('skipped paths are not written and not owned, and go where they were', async () => {
    const tree: Tree = {
      'usr/doc': { mode: 0o755 },
      'usr/doc/f': 'text',
      'usr/g': { hard: 'usr/doc/f' },
      'usr/h': 'h',
    };
    await root.apply([{ name: 'a', tree }]);
    await root.apply([{ name: 'a', tree }], { skip: ['usr/doc/*'] });
    expect(readdirSync(at('usr/doc'))).toEqual([]);
    expect(readdirSync(at('usr'))).toEqual(['doc', 'h']);
    expect(root.owners('usr/doc/f')).toEqual([]);
  });
});

/** The next build of an image takes over what the last one composed, and makes the same of it. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keepLast } from '#bootstrap/keep-last';
import { keepRoot } from '#bootstrap/kept-root';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { ImageBench } from '../support/images.ts';
import { makeDepot, type Depot, type DeclaredPackage } from '../support/repository.ts';

let depot: Depot;
let scratch: string;
let bench: ImageBench;

const tool = (version: string, files: DeclaredPackage['files']): DeclaredPackage => ({
  name: 'tool',
  version,
  files: {
    'usr/bin/tool': { text: '#!/bin/sh\n', mode: 0o4755 },
    'usr/bin/tool2': { hard: 'usr/bin/tool' },
    'usr/bin/tool3': { link: 'tool' },
    'usr/share/tool/large': 'x'.repeat(70_000),
    ...files,
  },
});
const define = (): ReturnType<ImageBench['define']> => bench.define({ board: { formats: ['img'] } });
const keptRoot = (cache: string): string => path.join(cache, 'roots/small-box.x86_64');
const inTree = (cache: string, name: string): string => path.join(keptRoot(cache), 'root', name);
const inode = (cache: string, name: string): number => fs.lstatSync(inTree(cache, name)).ino;

beforeAll(async () => {
  depot = await makeDepot();
  scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-kept-'));
  bench = new ImageBench(depot, scratch);
  await depot.publish({ name: 'base-files', files: { 'etc/base': 'x' } }, tool('1.0.0-r0', {}));
});
afterAll(() => {
  depot.dispose();
  fs.rmSync(scratch, { recursive: true, force: true });
});

/** Builds with what the cache has, and with an empty one. */
async function buildBoth(cache: string): Promise<void> {
  const { files } = await bench.build(define(), { cache });
  expect((await bench.build(define())).files).toEqual(files);
}

test('files and symlinks that stay are moved, what changed is unpacked', async () => {
  const cache = bench.folder('cache');
  await bench.build(define(), { cache });
  const moved = ['usr/share/tool/large', 'usr/bin/tool3', 'etc/base'];
  const before = moved.map((name) => inode(cache, name));
  await depot.publish(tool('1.1.0-r0', { 'usr/bin/more': 'more' }));
  await buildBoth(cache);
  expect(moved.map((name) => inode(cache, name))).toEqual(before);
  expect(fs.readFileSync(inTree(cache, 'usr/bin/more'), 'utf8')).toBe('more');
});

test('what somebody wrote to since is unpacked again', async () => {
  const cache = bench.folder('cache');
  await bench.build(define(), { cache });
  fs.writeFileSync(inTree(cache, 'usr/share/tool/large'), 'y'.repeat(70_000));
  await depot.publish(tool('1.2.0-r0', { 'usr/bin/more': 'another' }));
  await buildBoth(cache);
  expect(fs.readFileSync(inTree(cache, 'usr/share/tool/large'), 'utf8')).toMatch(/^x+$/);
});

test('a root from before the machine started is not taken', async () => {
  const cache = bench.folder('cache');
  await bench.build(define(), { cache });
  const before = inode(cache, 'etc/base');
  const contents = path.join(keptRoot(cache), 'contents.json');
  const told = JSON.parse(fs.readFileSync(contents, 'utf8')) as object;
  fs.writeFileSync(contents, JSON.stringify({ ...told, boot: 'another' }));
  // As long as the file is there, nothing else can have its inode.
  const held = fs.openSync(inTree(cache, 'etc/base'), 'r');
  await depot.publish(tool('1.3.0-r0', { 'usr/bin/more': 'third' }));
  await buildBoth(cache);
  fs.closeSync(held);
  expect(inode(cache, 'etc/base')).not.toBe(before);
});

test.each(['', 'null', '{"boot":'])(
  'a list of contents that is damaged (%s) counts as none',
  async (text) => {
    const cache = bench.folder('cache');
    await bench.build(define(), { cache });
    fs.writeFileSync(path.join(keptRoot(cache), 'contents.json'), text);
    const other = bench.define({ board: { formats: ['img'] }, system: { hostname: 'other' } });
    await bench.build(other, { cache });
    expect(fs.existsSync(inTree(cache, 'etc/base'))).toBe(true);
  },
);

test('nobody else comes to what is kept', async () => {
  const cache = bench.folder('cache');
  await bench.build(define(), { cache });
  expect(fs.statSync(keptRoot(cache)).mode & 0o777).toBe(0o700);
});

test.runIf(process.geteuid?.() === 0)('a file that belonged to somebody else becomes ours', async () => {
  const cache = bench.folder('cache');
  await bench.build(define(), { cache });
  fs.chownSync(inTree(cache, 'etc/base'), 12345, 12345);
  const other = bench.define({ board: { formats: ['img'] }, system: { hostname: 'other' } });
  await bench.build(other, { cache });
  expect(fs.statSync(inTree(cache, 'etc/base'))).toMatchObject({ uid: 0, gid: 0 });
});

test.runIf(process.geteuid?.() === 0)(
  'an ordinary user goes on with a cache that root wrote to',
  async () => {
    const cache = bench.folder('cache');
    await bench.build(define(), { cache });
    for (const folder of [scratch, cache]) fs.chmodSync(folder, 0o755);
    const kept = path.join(cache, 'roots');
    const folder = bench.folder('users');
    fs.chownSync(folder, 12345, 12345);
    process.seteuid?.(12345);
    try {
      fs.mkdirSync(path.join(folder, 'root'));
      expect(() =>
        keepRoot(path.join(kept, 'small-box.x86_64'), path.join(folder, 'root'), []),
      ).not.toThrow();
      expect(() => keepLast(keptRoot(cache))).not.toThrow();
    } finally {
      process.seteuid?.(0);
    }
  },
);

test('two builds of one image at once make the same', async () => {
  const cache = bench.folder('cache');
  const definition = define();
  const [one, two] = await Promise.all([1, 2].map(() => bench.build(definition, { cache })));
  expect(one?.files).toEqual(two?.files);
});

test('no symlink of the kept root leads to files outside of it', async () => {
  const outside = bench.folder('outside');
  const file = path.join(outside, 'file');
  fs.writeFileSync(file, 'same');
  fs.utimesSync(file, BUILD_EPOCH, BUILD_EPOCH);
  const cache = bench.folder('cache');
  await depot.publish(tool('1.4.0-r0', { 'srv/here': { link: outside } }));
  await bench.build(define(), { cache });
  await depot.publish(tool('1.5.0-r0', { 'srv/here/file': 'same' }));
  await buildBoth(cache);
  expect(fs.readFileSync(file, 'utf8')).toBe('same');
  expect(fs.readFileSync(inTree(cache, 'srv/here/file'), 'utf8')).toBe('same');
});

test('what was not used for long goes, what a build is still making stays', () => {
  const folder = bench.folder('kept');
  for (const [age, name] of ['new', 'b', 'c', 'old', 'e', '.killed'].entries()) {
    fs.mkdirSync(path.join(folder, name, 'inside'), { recursive: true });
    fs.utimesSync(path.join(folder, name), BUILD_EPOCH - age, BUILD_EPOCH - age);
  }
  fs.mkdirSync(path.join(folder, '.unfinished/inside'), { recursive: true });
  keepLast(path.join(folder, 'old'));
  expect(fs.readdirSync(folder).sort()).toEqual(['.unfinished', 'b', 'c', 'new', 'old']);
});

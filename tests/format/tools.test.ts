/** A package is a plain compressed tar: programs that know nothing of icepkg read it whole. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as tar from 'tar';
import { describe, expect, test } from 'vitest';
import { CODECS } from '#schema/container/codec';
import { ENTRIES, file, goodPackage, noise, withFolder } from './support.ts';

const long = `usr/share/${'directory-with-a-long-name/'.repeat(12)}${'n'.repeat(150)}`;
const foreign = 'usr/share/ünï–日本';
const entries = [
  ...ENTRIES,
  file(long, 'long'),
  file(foreign, 'foreign'),
  { type: 'symlink', path: 'usr/z-link', target: `../${'t'.repeat(300)}` } as const,
  { type: 'directory', path: 'usr/owned', mode: 0o1777, uid: 3_000_000, gid: 12 } as const,
];
const names = [
  '.icepkg/manifest.json',
  '.icepkg/signatures.json',
  ...entries.map((entry) => (entry.type === 'directory' ? `${entry.path}/` : entry.path)),
].sort();

function run(program: string, ...words: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(program, words, { maxBuffer: 64 * 1024 * 1024 });
  expect({ program, status, stderr: stderr.toString() }).toEqual({ program, status: 0, stderr: '' });
  return stdout;
}

describe.each(CODECS)('a %s package', (codec) => {
  const good = goodPackage({ codec, entries });
  const open = async <T>(use: (file: string, folder: string) => Promise<T> | T): Promise<T> =>
    withFolder(async (folder) => {
      const path = join(folder, 'good.icepkg');
      writeFileSync(path, await good);
      return use(path, folder);
    });

  test('passes the check of its codec’s own program', () =>
    open((path) => {
      run('sh', '-c', `${codec} -t -q < "$0"`, path);
    }));

  test('is listed and unpacked by tar', () =>
    open((path, folder) => {
      const listed = run('tar', '--quoting-style=literal', '-tf', path).toString().trim().split('\n');
      expect(listed.toSorted()).toEqual(names);
      const verbose = run('tar', '--numeric-owner', '-tvf', path).toString();
      expect(verbose).toMatch(/^drwxrwxrwt 3000000\/12 .* usr\/owned\/$/m);
      expect(verbose).toMatch(/^crw-rw-rw- 0\/0 +1,3 .* dev\/null$/m);
      expect(verbose).toMatch(/^brw-rw---- 0\/6 +7,0 .* dev\/loop0$/m);
      const out = join(folder, 'out');
      mkdirSync(out);
      run('tar', '-xf', path, '-C', out, '--no-same-owner', '--exclude=dev/*');
      expect(readFileSync(join(out, 'usr/large')).equals(noise(3_000_000, 'large'))).toBe(true);
      expect(readFileSync(join(out, long), 'utf8')).toBe('long');
      expect(readFileSync(join(out, foreign), 'utf8')).toBe('foreign');
      expect(readlinkSync(join(out, 'usr/sym'))).toBe('../usr/program');
      expect(statSync(join(out, 'usr/program-too')).ino).toBe(statSync(join(out, 'usr/program')).ino);
      expect(lstatSync(join(out, 'usr/empty')).mtimeMs).toBe(5000);
      chmodSync(join(out, 'usr/owned'), 0o755);
    }));

  test('is read by the tar of npm, once decompressed', () =>
    open(async (path) => {
      const plain = run('sh', '-c', `${codec} -dc < "$0"`, path);
      const read = new Map<string, { type: string; size: number; link: string; mode: number }>();
      const contents = new Map<string, Buffer>();
      const parser = new tar.Parser({
        strict: true,
        onReadEntry: (entry) => {
          const { type, size, linkpath = '', mode = 0 } = entry;
          read.set(entry.path, { type, size, link: linkpath, mode });
          const parts: Buffer[] = [];
          entry.on('data', (piece) => parts.push(Buffer.from(piece)));
          entry.on('end', () => contents.set(entry.path, Buffer.concat(parts)));
        },
      });
      const ended = new Promise<void>((resolve, reject) => {
        parser.on('end', () => resolve());
        parser.on('error', reject);
      });
      parser.end(plain);
      await ended;
      expect([...read.keys()].toSorted()).toEqual(names);
      expect(read.get('usr/program')).toMatchObject({ type: 'File', size: 70_000, mode: 0o4755 });
      expect(read.get('usr/program-too')).toMatchObject({ type: 'Link', link: 'usr/program' });
      expect(read.get('usr/z-link')).toMatchObject({ type: 'SymbolicLink', link: `../${'t'.repeat(300)}` });
      expect(read.get('dev/pipe')).toMatchObject({ type: 'FIFO' });
      expect(contents.get('usr/large')?.equals(noise(3_000_000, 'large'))).toBe(true);
      expect(JSON.parse(contents.get('.icepkg/manifest.json')?.toString() ?? '')).toMatchObject({
        name: 'good',
      });
    }));
});

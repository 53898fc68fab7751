/** Folders that are named for output: made where they can be, refused at once where they cannot. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeFolder } from '#engine/make-folder';
import { icepkg } from './icepkg.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'icepkg-folders-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a folder is made with all that is missing above it', () => {
  expect(makeFolder(join(folder, 'a/b/c'))).toBe(join(folder, 'a'));
  expect(statSync(join(folder, 'a/b/c')).isDirectory()).toBe(true);
  expect(makeFolder(join(folder, 'a/b/c'))).toBeUndefined();
});

test.each([
  ['init', '--root', '/proc/none/such'],
  ['key', 'generate', '/proc/none/such'],
])('%s below /proc ends at once', (...words) => {
  const { status, stderr } = icepkg(words);
  expect(status).toBe(21);
  expect(stderr).toMatch(/the folder \/proc\/none cannot be made\nhint: Name another folder/);
});

/** Globs of `files.keep`, `files.skip` and `--overwrite`. */
import { expect, test } from 'vitest';
import { openGlobs } from '#engine/file-plan/glob';

test.each([
  ['usr/share/doc/*', 'usr/share/doc/a/b', true],
  ['/usr/share/doc/*', 'usr/share/doc/a', true],
  ['usr/share/doc/*', 'usr/share/docs', false],
  ['*.la', 'usr/lib/x.la', true],
  ['*.la', 'usr/lib/x.lab', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['a*b*c', 'axbxbxc', true],
  ['a*b*c', 'axcxb', false],
  ['**', 'anything', true],
  ['a.c', 'abc', false],
  ['[a]', 'a', false],
  ['', 'a', false],
])('%s and %s: %j', (glob, path, expected) => {
  expect(openGlobs([glob])(path)).toBe(expected);
});

test('a later glob takes back what an earlier one matched', () => {
  const matches = openGlobs(['usr/*', '!usr/share/*', 'usr/share/x']);
  expect(['usr/a', 'usr/share/a', 'usr/share/x'].map(matches)).toEqual([true, false, true]);
});

test('many stars and a long path that almost matches end at once', () => {
  expect(openGlobs([`${'*a'.repeat(40)}b`])('a'.repeat(4000))).toBe(false);
});

import { expect, test } from 'vitest';
import { nearest } from '#schema/nearest';

test.each([
  ['isntall', ['install', 'info', 'init'], 'install'],
  ['zlb', ['xz', 'zlib', 'zstd'], 'zlib'],
  ['Mirrors', ['mirrors', 'name'], 'mirrors'],
  ['ab', ['ac', 'ad', 'bb'], 'ac'],
  ['bash', ['musl', 'dropbear'], undefined],
  ['x', [], undefined],
])('%s among %j means %s', (word, names, meant) => {
  expect(nearest(word, names)).toBe(meant);
  expect(nearest(word, names.toReversed())).toBe(meant);
});

import { beforeAll, expect, test } from 'vitest';
import { buildCommandTable, type CommandTable } from '#cli/command-table';
import { hintWriter } from '#cli/hints';

let table: CommandTable;
beforeAll(async () => {
  table = await buildCommandTable();
});

test.each([
  [['--root', 'dev'], 'See what is: icepkg list', 'See what is: icepkg list --root dev'],
  [['x', '--root=./a b'], 'Run icepkg why x again', "Run icepkg why --root './a b' x again"],
  [
    ['--root', 'd'],
    'See why: icepkg why x; all that was asked for: icepkg world',
    'See why: icepkg why --root d x; all that was asked for: icepkg world --root d',
  ],
  [
    ['--root', 'd'],
    'Attach one: icepkg repo attach NAME MIRROR --trust FILE',
    'Attach one: icepkg repo attach --root d NAME MIRROR --trust FILE',
  ],
])('%j: %s', (argv, hint, expected) => {
  expect(hintWriter(table, argv)(hint)).toBe(expected);
});

test.each([
  [['list'], 'See what is: icepkg list'],
  [['--', '--root', 'd'], 'See what is: icepkg list'],
  [['--root', 'd'], 'Make it: icepkg init --root /other'],
  [['--root', 'd'], 'See: icepkg install --help'],
  [['--root', 'd'], 'Make a key: icepkg key generate NAME'],
  [['--root', 'd'], 'The next icepkg command finishes it'],
])('%j leaves it as it is: %s', (argv, hint) => {
  expect(hintWriter(table, argv)(hint)).toBe(hint);
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '#engine/config';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'icepkg-config-'));
  mkdirSync(join(root, 'etc/icepkg'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const repositories = (text: string): void => writeFileSync(join(root, 'etc/icepkg/repositories.toml'), text);

test('absent files mean the defaults', () => {
  expect(loadConfig(root)).toMatchObject({
    repositories: [],
    network: { parallel: 4 },
    history: { keep: 10 },
  });
});

test('reads repositories in order', () => {
  repositories(
    '[[repository]]\nname = "a"\nmirrors = ["/media/usb"]\n[[repository]]\nname = "b"\nmirrors = ["https://b.test"]\n',
  );
  expect(loadConfig(root).repositories.map((each) => [each.name, each.channel, each.trust])).toEqual([
    ['a', 'stable', 'etc/icepkg/trust/a.root.json'],
    ['b', 'stable', 'etc/icepkg/trust/b.root.json'],
  ]);
});

test.each([
  [
    '[[repository]]\nname = "a"\nmirors = ["/x"]\n',
    /repositories\.toml:3: unknown key "mirors": did you mean mirrors\?/,
  ],
  ['[[repository]]\nname = "a"\nmirrors = ["ftp://x"]\n', /repositories\.toml:3: .*expected an http/],
  ['[[repository]]\nname = "a\n', /repositories\.toml:2: /],
  ['[[repository]]\nname = "a"\n', /repositories\.toml:1: the key "mirrors" is missing/],
])('names file and line: %j', (text, message) => {
  repositories(text);
  expect(() => loadConfig(root)).toThrow(message);
});

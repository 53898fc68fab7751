/** What `icepkg build` says of the packages that it has just built. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { icepkg, type Run } from '../cli/icepkg.ts';

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-findings-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function build(recipe: string, ...more: readonly string[]): Run {
  const home = path.join(folder, 'recipes/demo');
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(path.join(home, 'recipe.yaml'), recipe);
  const at = (name: string): string => path.join(folder, name);
  const places = ['--recipes', at('recipes'), '--cache', at('cache'), '--output', at('out')];
  return icepkg(['build', 'demo', ...places, ...more]);
}

const RECIPE = `name: demo
version: '1.0.0'
description: Demonstrates
license: MIT
arch: noarch
depends: [demo-tolls]
subpackages:
  - { name: demo-tools, files: [usr/bin/tool] }
install: |
  mkdir -p "$DESTDIR/etc" "$DESTDIR/usr/bin"
  touch "$DESTDIR/etc/one" "$DESTDIR/etc/two"
  install -m755 /dev/null "$DESTDIR/usr/bin/tool"
  echo "#!/bin/sh" >"$DESTDIR/usr/bin/demo"
  chmod 4755 "$DESTDIR/usr/bin/demo"
`;

test('warnings are told once per package, apart from the names of the packages', () => {
  const { status, stdout, stderr } = build(RECIPE);
  expect(status, stderr).toBe(0);
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => path.basename(line)),
  ).toEqual(['demo-1.0.0-r0.noarch.icepkg', 'demo-tools-1.0.0-r0.noarch.icepkg']);
  const warnings = stderr.split('\n').filter((line) => line.includes(': warning: '));
  // Nothing is known of the dependency here, so nobody can tell whether it brings a shell.
  // What was in the cache is no better for it.
  expect(
    build(RECIPE)
      .stderr.split('\n')
      .filter((line) => line.includes(': warning: ')),
  ).toEqual(warnings);
  expect(warnings).toEqual([
    `${path.join(folder, 'recipes/demo/recipe.yaml')}:6:11: warning: demo needs demo-tolls, which no recipe makes; did you mean demo-tools? (depends-unprovided)`,
    'demo-1.0.0-r0.noarch: warning: usr/bin/demo is setuid (4755) (setuid)',
    'demo-1.0.0-r0.noarch: warning: etc/one is not declared as a configuration file (config-undeclared), and 1 more',
  ]);
});

test('what the recipe allows is not told, and --json has a field for what is left', () => {
  const allowed = `${RECIPE.replace('depends: [demo-tolls]\n', '')}lint:\n  allow:\n    - { rule: setuid, reason: it greets as root }\n`;
  const { stdout, stderr } = build(allowed, '--json');
  expect(stderr).toBe('');
  const { recipes } = JSON.parse(stdout) as { recipes: { findings: { rule: string }[] }[] };
  expect(recipes[0]?.findings.map(({ rule }) => rule)).toEqual([
    'interpreter-undeclared',
    'config-undeclared',
    'config-undeclared',
  ]);
});

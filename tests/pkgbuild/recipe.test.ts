import { describe, expect, test } from 'vitest';
import { IcepkgError } from '#schema/error';
import { parseRecipe } from '#pkgbuild/recipe';
import { forArch } from '#pkgbuild/resolve-recipe';

const good = `name: hello
version: "1.0.0"
license: MIT
sources:
  - file: hello.tar.gz
    sha256: ${'a'.repeat(64)}
    from:
      - url: https://example.org/hello.tar.gz
`;

/** Returns message and hint of the error that a recipe gives. */
function refused(text: string): { message: string; hint: string | undefined } {
  try {
    parseRecipe(text, 'hello/recipe.yaml');
  } catch (error) {
    if (error instanceof IcepkgError) return { message: error.message, hint: error.hint };
    throw error;
  }
  throw new Error('the recipe was accepted');
}

describe('a recipe', () => {
  test('gets its defaults', () => {
    expect(parseRecipe(good, 'recipe.yaml')).toMatchObject({
      release: 0,
      arch: ['x86_64', 'aarch64'],
      split: true,
      strip: true,
    });
  });

  test('is merged for one architecture: steps replace, lists and variables add', () => {
    const recipe = parseRecipe(
      `${good}buildDepends: [musl]\nbuild: common\nenv: {A: "1"}\nperArch:\n  aarch64:\n    build: own\n    buildDepends: [more]\n    env: {B: "2"}\n`,
      'recipe.yaml',
    );
    expect(forArch(recipe, 'aarch64')).toMatchObject({
      build: 'own',
      buildDepends: ['musl', 'more'],
      env: { A: '1', B: '2' },
    });
    expect(forArch(recipe, 'x86_64')).toMatchObject({
      build: 'common',
      buildDepends: ['musl'],
      env: { A: '1' },
    });
  });

  test.each([
    [
      'an unknown field, with the nearest one',
      `${good}bulid: make\n`,
      'hello/recipe.yaml:9:1: unknown field bulid',
      'Did you mean build?',
    ],
    [
      'an unknown field below another',
      good.replace('- url:', '- urls:'),
      'hello/recipe.yaml:8:9: unknown field sources[0].from[0].urls',
      'Did you mean url?',
    ],
    [
      'a licence by an old name',
      good.replace('MIT', 'GPLv2'),
      'hello/recipe.yaml:3:1: license: expected an SPDX expression and found GPLv2: did you mean GPL-2.0-only?',
      undefined,
    ],
    [
      'a dependency as other package managers have it',
      `${good}depends:\n  - musl\n  - busybox>=1.0\n`,
      'hello/recipe.yaml:11:5: depends[1]: expected a dependency such as zlib@^1.2: did you mean busybox@>=1.0?',
      undefined,
    ],
    [
      'text that YAML takes for a truth value',
      `${good}install: true\n`,
      'hello/recipe.yaml:9:1: install: expected shell text or a list of steps',
      'YAML takes it for true or false: put it in quotes',
    ],
    [
      'a sum that YAML takes for a number',
      good.replace('a'.repeat(64), '1'.repeat(64)),
      'hello/recipe.yaml:6:5: sources[0].sha256: expected a string',
      'YAML takes it for a number: put it in quotes',
    ],
    [
      'one name where a list belongs',
      `${good}buildDepends: musl\n`,
      'hello/recipe.yaml:9:1: buildDepends: expected a list of recipe names',
      'Write it as a list: [musl]',
    ],
    [
      'a service without the path of its program',
      `${good}services:\n  - name: web\n    command: [bin/web, -d]\n`,
      'hello/recipe.yaml:11:5: services[0].command: expected the absolute path of the program first, such as /usr/bin/NAME',
      undefined,
    ],
    [
      'a service whose command is a text',
      `${good}services:\n  - name: web\n    command: /usr/bin/web\n`,
      'hello/recipe.yaml:11:5: services[0].command: expected a list, and found "/usr/bin/web"',
      'Write it as a list: [/usr/bin/web]',
    ],
    [
      'a line in the wrong column',
      `${good}services:\n  - name: web\n   command: [/usr/bin/web]\n`,
      expect.stringContaining('hello/recipe.yaml:1') as string,
      expect.stringContaining('a matter of indentation') as string,
    ],
    [
      'a version that YAML reads as a number',
      good.replace('"1.0.0"', '1.0'),
      'hello/recipe.yaml:2:1: version: expected a version such as "1.2.3", in quotes',
      undefined,
    ],
    [
      'a version with its release',
      good.replace('1.0.0', '1.0.0-r1'),
      'hello/recipe.yaml:2:1: version: expected a version without the release, which goes under release',
      undefined,
    ],
    [
      'a version that is none',
      good.replace('1.0.0', '9.2p1'),
      "hello/recipe.yaml:2:1: version: expected a semantic version such as 1.2.3: version: '9.2.0+p.1' and upstreamVersion: '9.2p1'",
      undefined,
    ],
    [
      'a missing field',
      good.replace('license: MIT\n', ''),
      'hello/recipe.yaml:1:1: missing field license',
      undefined,
    ],
    [
      'a short digest',
      good.replace('a'.repeat(64), 'abc'),
      'hello/recipe.yaml:6:5: sources[0].sha256: expected 64 lower-case hexadecimal digits (a sha256), and found 3 characters',
      undefined,
    ],
    [
      'a path out of the folder',
      `${good}patches: [../x.patch]\n`,
      'hello/recipe.yaml:9:11: patches[0]: expected a path inside the folder of the recipe',
      undefined,
    ],
    [
      'a dependency that is none',
      `${good}depends: ["zlib@what"]\n`,
      'hello/recipe.yaml:9:11: depends[0]: expected a dependency such as zlib@^1.2',
      undefined,
    ],
    [
      'an unknown architecture',
      `${good}arch: [mips]\n`,
      'hello/recipe.yaml:9:8: arch[0]: expected x86_64 or aarch64',
      undefined,
    ],
  ])('is refused for %s', (_, text, message, hint) => {
    const error = refused(text);
    expect(error.message).toEqual(message);
    if (hint !== undefined) expect(error.hint).toEqual(hint);
  });

  test('is refused for a duplicate key and for broken YAML, naming the place', () => {
    expect(refused(`${good}name: other\n`).message).toMatch(/^hello\/recipe\.yaml:9:1: /);
    expect(refused('name: [unclosed\n').message).toMatch(/^hello\/recipe\.yaml:\d+:\d+: /);
    expect(refused('').message).toMatch(/^hello\/recipe\.yaml:1:1: /);
    expect(refused(`${good}---\nname: b\n`).message).toBe(
      'hello/recipe.yaml:9:1: source contains multiple documents',
    );
    expect(refused('a: {c: 1, d: 2, c: 3}\na: 1\n').message).toBe(
      'hello/recipe.yaml:1:17: map keys must be unique',
    );
  });
});

test.each([
  [
    'keys',
    Array.from({ length: 90_000 }, (_, index) => `k${index}: 1\n`).join(''),
    /:\d+:\d+: too large: more than/,
  ],
  ['levels in a line', `x: ${'['.repeat(500_000)}`, /:1:67: nested too deep: more than 64 levels$/],
  ['lists in a line', '- '.repeat(500_000), /:1:128: nested too deep/],
  ['mappings in a line', `x: ${'{a: '.repeat(100_000)}`, /:1:\d+: nested too deep/],
  ['documents', '---\n'.repeat(250_000), /:2:1: source contains multiple documents/],
])(
  'a recipe of %s without end is refused at its place',
  (_, text, message) => {
    expect(refused(text).message).toMatch(message);
    expect(refused(text).hint).toContain('recipes.md');
  },
  30_000,
);

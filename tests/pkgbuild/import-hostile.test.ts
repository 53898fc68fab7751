/** Recipes of other package managers: what nobody must be able to break. */
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { IcepkgError } from '#schema/error';
import { APKBUILD, importer } from '../support/importer.ts';

const { at, imported } = importer();

test('nothing of a file is run, whatever it says', async () => {
  const marker = at('ran');
  const run = `touch ${marker}`;
  const { said, recipe } = await imported(
    'APKBUILD',
    `pkgname=safe
pkgver=1.0.0
license="$(${run})"
pkgdesc=\`${run}\`
depends="$((1+1)) \${x:=$(${run})}"
url="\${url:-$(${run})}"
eval "${run}"
${run}
trap '${run}' EXIT
source="https://a.example/$(${run}).tar.gz"
`,
  );
  expect(fs.existsSync(marker)).toBe(false);
  expect(recipe).toMatchObject({ name: 'safe', license: 'LicenseRef-unknown' });
  expect(said.filter((one) => /it runs [$`]/.test(one)).map((one) => one.split(':')[0])).toEqual([
    'lost source',
    'lost license',
    'lost pkgdesc',
    'lost url',
    'lost depends',
  ]);
  expect(said.filter((one) => one.includes('is not run'))).toHaveLength(3);
});

test('a source that is fetched must be the one that the file names', async () => {
  const { said } = await imported(
    'APKBUILD',
    `pkgname=fetched\npkgver=1.0.0\nlicense=MIT\nsource="http://127.0.0.1:9/a.tar"\nsha512sums="${'e'.repeat(128)}  a.tar"\n`,
    true,
  );
  expect(said.join('\n')).toMatch(/open sources: http:\/\/127\.0\.0\.1:9\/a\.tar could not be fetched/);
});

describe('hostile and broken files are refused, with a way out', () => {
  const deep = (open: string, close: string, count: number): string =>
    open.repeat(count) + close.repeat(count);
  const start = 'pkgname=a\npkgver=1\n';
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
    .split('')
    .map(
      (name, index) =>
        `${name}: &${name} [${Array(10)
          .fill(`*${'abcdefghi'.charAt(index)}`)
          .join(',')}]\n`,
    )
    .join('')}package: *j\n`;
  test.each([
    ['binary', 'APKBUILD', Buffer.from([0, 1, 2, 255])],
    ['empty', 'APKBUILD', ''],
    ['too large', 'PKGBUILD', `${start}#${'x'.repeat(1024 * 1024)}`],
    ['an open quote', 'APKBUILD', `${start}pkgdesc="open`],
    ['an open function', 'APKBUILD', `${start}build() {\n`],
    ['a stray parenthesis', 'PKGBUILD', `${start})\n`],
    ['braces nested too deep', 'PKGBUILD', `${start}x=${deep('${x:-', '}', 500)}`],
    ['substitutions nested too deep', 'APKBUILD', `${start}x=${deep('$(', ')', 5000)}`],
    [
      'compounds nested too deep',
      'APKBUILD',
      `${start}${'if true; then '.repeat(5000)}${'fi;'.repeat(5000)}`,
    ],
    ['a name that is run', 'APKBUILD', 'pkgname=$(id)\npkgver=1\n'],
    ['an impossible name', 'APKBUILD', 'pkgname="../../etc"\npkgver=1\n'],
    ['a bomb of aliases', 'a.yaml', bomb],
    ['nested YAML', 'a.yaml', `package: ${deep('[', ']', 5000)}`],
    ['YAML with a tab', 'a.yaml', 'package:\n\tname: a\n'],
    ['YAML that is no mapping', 'a.yaml', '- a\n- b\n'],
  ])('%s', async (_, name, content) => {
    const problem = await imported(name, content).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(problem).toBeInstanceOf(IcepkgError);
    expect((problem as IcepkgError).hint).toBeTruthy();
    expect(fs.existsSync(at('out'))).toBe(false);
  });

  test.each([
    ['a text that doubles', `${'x=$x$x\n'.repeat(40)}pkgdesc=$x\n`],
    ['a pattern that takes for ever', `y=${'a'.repeat(3000)}\npkgdesc=\${y%%*a*a*a*a*a*a*a*b}\n`],
    ['braces that multiply', `depends=(${'{a,b}'.repeat(30)})\n`],
    ['an array that grows', `z=(a b c d)\n${'z=(${z[@]} ${z[@]})\n'.repeat(30)}depends=(\${z[@]})\n`],
    ['a path out of the folder', 'source=(../../../etc/passwd /etc/shadow)\n'],
    ['control characters', 'pkgdesc="a\u001b[2Jb"\n'],
    [
      'a loop of loops',
      'for a in {1,2,3,4,5,6,7,8,9}{1,2,3,4,5,6,7,8,9}{1,2,3}; do for b in $pkgname; do y="$y$a$b"; done; done\n',
    ],
    ['a function that calls itself', 'f() { f; f; f; }\nf\n'],
    ['a function with an odd name', 'a++b() { :; }\nbuild() { a++b; }\n'],
    ['braces without end', `build() { x ${'{'.repeat(20_000)}; }\n`],
  ])('%s costs no more than any other file', async (_, content) => {
    const outcome = await imported('PKGBUILD', `pkgname=a\npkgver=1.0.0\nlicense=MIT\nx=xx\n${content}`).then(
      ({ recipe }) => JSON.stringify(recipe).length,
      (error: unknown) => error,
    );
    if (typeof outcome === 'number') expect(outcome).toBeLessThan(100_000);
    else expect(outcome).toBeInstanceOf(IcepkgError);
  });

  const filled = (text: string): string => `\${{${text}}}`;
  test.each([
    [
      'variables that double',
      `vars:\n  v0: xx\n${Array.from({ length: 40 }, (_, index) => `  v${index + 1}: ${filled(`vars.v${index}`).repeat(2)}\n`).join('')}`,
    ],
    [
      'a pattern that takes for ever',
      `var-transforms:\n  - {from: ${'a'.repeat(98)}, match: '^(a|aa)+$|^a*a*a*a*a*a*a*a*a*b', replace: b, to: x}\n`,
    ],
    ['keys without end', Array.from({ length: 30_000 }, (_, index) => `k${index}: 1\n`).join('')],
  ])(
    'in melange, %s costs no more than any other file',
    async (_, content) => {
      const outcome = await imported(
        'a.yaml',
        `package: {name: a, version: "1.0", copyright: [{license: MIT}]}\n${content}pipeline:\n  - runs: echo ${filled('vars.v40')}\n`,
      ).then(
        ({ said }) => said.length,
        (error: unknown) => error,
      );
      if (typeof outcome === 'number') expect(outcome).toBeGreaterThan(0);
      else expect(outcome).toMatchObject({ code: 'format-invalid' });
    },
    30_000,
  );
});

test('whatever is cut out of a file or put into it, it is imported or refused', async () => {
  const pieces = [
    '"',
    "'",
    '$',
    '${',
    '$(',
    '`',
    '{',
    '}',
    '(',
    ')',
    '\\',
    '\n',
    '<<E',
    ';',
    'case',
    '#',
    '%',
    '*',
  ];
  let seed = 7;
  const next = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  for (let round = 0; round < 100; round++) {
    let text = APKBUILD;
    for (let change = next(4); change >= 0; change--) {
      const at = next(text.length);
      text = text.slice(0, at) + (pieces[next(pieces.length)] ?? '') + text.slice(at + next(3));
    }
    const outcome = await imported('APKBUILD', text).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (outcome !== undefined) expect(outcome, text).toBeInstanceOf(IcepkgError);
    fs.rmSync(at('out'), { recursive: true, force: true });
  }
});

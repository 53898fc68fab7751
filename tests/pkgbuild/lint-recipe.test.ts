/** Every rule on recipes: a change of a clean recipe that it finds, and where a near miss exists, one that it lets pass. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '#pkgbuild/lint/lint';
import { RECIPE_RULES } from '#pkgbuild/lint/rules';
import { lintSubjects } from '#pkgbuild/lint/subjects';
import { allRecipes } from '#pkgbuild/recipe';

const SUM = '5d9827aa1875b21c288f78864bb26d2650b436ea8d2cad364e4921eb6266a5a5';
const CLEAN = `# yaml-language-server: $schema=../../index-schema/recipe.schema.json
name: demo
version: '1.2.0'
description: Greets whoever starts it
license: MIT
url: https://example.org/demo
sources:
  - file: demo-1.2.0.tar.gz
    sha256: ${SUM}
    from:
      - url: https://example.org/demo-1.2.0.tar.gz
      - url: https://mirror.example.org/demo-1.2.0.tar.gz
buildDepends: [musl]
update: { debian: demo }
prepare: |
  ./configure --prefix=/usr --host="$HOST"
build: |
  make -j"$JOBS"
check: |
  run ./demo
install: |
  make install DESTDIR="$DESTDIR"
test: |
  demo --version
`;

let root: string;
beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-lint-recipe-'));
});
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

interface Change {
  /** Text of the clean recipe and what stands in its place. */
  readonly from?: string;
  readonly to?: string;
  /** Added at the end. */
  readonly more?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Name of the recipe's folder. */
  readonly folder?: string;
}

let count = 0;
function lint({ from = '', to = '', more = '', files = {}, folder = 'demo' }: Change): readonly Finding[] {
  const recipes = path.join(root, String(count++));
  const home = path.join(recipes, folder);
  fs.mkdirSync(home, { recursive: true });
  expect(CLEAN).toContain(from);
  fs.writeFileSync(path.join(home, 'recipe.yaml'), CLEAN.replace(from, () => to) + more);
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(home, file)), { recursive: true });
    fs.writeFileSync(path.join(home, file), text);
  }
  for (const name of ['musl', 'zlib', 'curl', 'linux-headers']) {
    fs.mkdirSync(path.join(recipes, name));
    fs.writeFileSync(
      path.join(recipes, name, 'recipe.yaml'),
      `name: ${name}\nversion: '1.0.0'\nlicense: MIT\n`,
    );
  }
  const { findings, problem } = lintSubjects([home], [recipes]);
  if (problem !== undefined) throw problem;
  return findings;
}

const build = (line: string): Change => ({ from: '  make -j"$JOBS"\n', to: `  ${line}\n` });
const prepare = (line: string): Change => ({
  from: '  ./configure --prefix=/usr --host="$HOST"\n',
  to: `  ${line}\n`,
});
const install = (line: string): Change => ({
  from: '  make install DESTDIR="$DESTDIR"\n',
  to: `  ${line}\n`,
});
const check = (line: string): Change => ({ from: '  run ./demo\n', to: `  ${line}\n` });
const url = (text: string): Change => ({ from: 'https://example.org/demo-1.2.0.tar.gz', to: text });
const description = (text: string): Change => ({ from: 'Greets whoever starts it', to: text });
const patch = (text: string): Change => ({ more: 'patches: [a.patch]\n', files: { 'a.patch': text } });

/** What the rule finds, and what it lets pass besides the clean recipe. */
const CASES: Readonly<Record<string, readonly [Change, Change?]>> = {
  'description-missing': [{ from: 'description: Greets whoever starts it\n' }],
  'description-style': [
    description('A program that greets'),
    description('zlib-compatible compression for CPUs'),
  ],
  'subpackage-description-missing': [
    { more: 'subpackages:\n  - { name: demo-tools, files: [usr/bin/x] }\n' },
    { more: 'subpackages:\n  - { name: demo-tools, description: Tools, files: [usr/bin/x] }\n' },
  ],
  'url-missing': [{ from: 'url: https://example.org/demo\n' }],
  'url-unencrypted': [{ from: 'url: https:', to: 'url: http:' }],
  'folder-name-differs': [{ folder: 'other' }],
  'check-missing': [
    { from: 'check: |\n  run ./demo\n' },
    { from: 'check: |\n  run ./demo\n', more: 'arch: noarch\n' },
  ],
  'test-missing': [{ from: 'test: |\n  demo --version\n' }],
  'update-missing': [
    { from: 'update: { debian: demo }\n' },
    {
      from: CLEAN.slice(CLEAN.indexOf('  - file'), CLEAN.indexOf('prepare')),
      to: `  - { deb: demo, version: 1.2.0-1, sha256: ${SUM} }\n`,
    },
  ],
  'depends-unprovided': [{ more: 'depends: [demo-tolls]\n' }, { more: 'depends: ["cmd:sh", demo-dev]\n' }],
  'build-depends-unknown': [{ more: 'testDepends: [musl-dev]\n' }, { from: '[musl]', to: '[musl, zlib]' }],
  'path-missing': [
    {
      from: CLEAN.slice(CLEAN.indexOf('  - file'), CLEAN.indexOf('buildDepends')),
      to: '  - { path: main.c }\n',
      files: { 'mian.c': '' },
    },
    {
      from: CLEAN.slice(CLEAN.indexOf('  - file'), CLEAN.indexOf('buildDepends')),
      to: '  - { path: src }\n',
      files: { 'src/main.c': '' },
    },
  ],
  'depends-on-itself': [{ more: 'depends: [demo]\n' }, { more: 'depends: [demo-dev]\n' }],
  'depends-found-anyway': [{ more: 'depends: ["so:libz.so.1"]\n' }, { more: 'depends: ["cmd:sh"]\n' }],
  'list-unsorted': [
    { from: '[musl]', to: '[zlib, musl, curl]' },
    { from: '[musl]', to: '[musl, linux-headers, curl, zlib]' },
  ],
  'list-repeats': [{ from: '[musl]', to: '[musl, musl]' }],
  'fields-unsorted': [{ from: "name: demo\nversion: '1.2.0'\n", to: "version: '1.2.0'\nname: demo\n" }],
  'default-written': [{ more: 'release: 0\n' }, { more: 'release: 1\n' }],
  'line-long': [
    { more: `# ${'long '.repeat(40)}.\n` },
    { more: `# https://example.org/${'x'.repeat(200)}\n` },
  ],
  'space-at-end': [{ more: '# note \n' }],
  'schema-comment-missing': [
    {
      from: '# yaml-language-server',
      to: '# server',
      files: { '../../index-schema/recipe.schema.json': '{}' },
    },
  ],
  'config-pattern-elsewhere': [
    { more: 'configFiles: [usr/share/demo.conf]\n' },
    { more: 'configFiles: [etc/*]\n' },
  ],
  'service-account-undeclared': [
    { more: 'services:\n  - { name: demo, command: [/usr/bin/demo], user: demo }\n' },
    {
      more: 'users:\n  - { name: demo }\nservices:\n  - { name: demo, command: [/usr/bin/demo], user: demo }\n',
    },
  ],
  'subpackage-pattern-repeated': [
    {
      more: 'subpackages:\n  - { name: a, description: One, files: [usr/a] }\n  - { name: b, description: Two, files: [usr/a] }\n',
    },
  ],
  'variable-replaced': [{ more: 'env: { CFLAGS: -O3 }\n' }, { more: 'env: { LDFLAGS: -s }\n' }],
  'allow-unknown': [
    { more: 'lint:\n  allow:\n    - { rule: setuidd, reason: why not }\n' },
    { more: 'lint:\n  allow:\n    - { rule: setuid, reason: asks for a password }\n' },
  ],
  'sha256-placeholder': [{ from: SUM, to: 'a'.repeat(64) }],
  'sha256-repeated': [
    {
      from: 'buildDepends',
      to: `  - { file: data-1.2.0, sha256: ${SUM}, from: [{ debian: demo }] }\nbuildDepends`,
    },
  ],
  'source-unencrypted': [url('http://example.org/demo-1.2.0.tar.gz')],
  'source-single': [
    { from: '      - url: https://mirror.example.org/demo-1.2.0.tar.gz\n' },
    { from: 'url: https://mirror.example.org/demo-1.2.0.tar.gz', to: 'debian: demo' },
  ],
  'source-closed-host': [url('https://demo.googlecode.com/files/demo-1.2.0.tar.gz')],
  'source-moving': [
    url('https://example.org/demo/archive/refs/heads/main.tar.gz'),
    url('https://example.org/demo-1.2.0/demo.tar.gz'),
  ],
  'source-generated': [url('https://example.org/demo/archive/refs/tags/v1.2.0.tar.gz')],
  'source-version-differs': [{ from: "version: '1.2.0'", to: "version: '1.3.0'" }],
  'debian-revision-pinned': [
    {
      from: 'buildDepends',
      to: `  - { file: a_1.2.0.orig.tar.xz, sha256: ${'ab'.repeat(32)}, from: [{ debian: a, version: 1.2.0-3 }] }\nbuildDepends`,
    },
    {
      from: 'buildDepends',
      to: `  - { file: a_1.2.0.orig.tar.xz, sha256: ${'ab'.repeat(32)}, from: [{ debian: a }] }\nbuildDepends`,
    },
  ],
  'patch-missing': [{ more: 'patches: [a.patch]\n' }],
  'patch-unused': [{ files: { 'b.patch': 'why\n--- a\n' } }],
  'patch-unexplained': [patch('--- a/x\n+++ b/x\n'), patch('From upstream.\n--- a/x\n')],
  'file-unused': [
    { files: { 'demo.conf': '' } },
    { from: 'buildDepends', to: '  - path: demo.conf\nbuildDepends', files: { 'demo.conf': '' } },
  ],
  'file-undeclared': [
    { ...install('cp "$RECIPE/$ARCH.conf" .'), files: { 'aarch64.conf': '' } },
    { from: 'buildDepends', to: '  - path: demo.conf\nbuildDepends', files: { 'demo.conf': '' } },
  ],
  'recipe-empty': [
    { from: CLEAN.slice(CLEAN.indexOf('sources:')) },
    { from: CLEAN.slice(CLEAN.indexOf('sources:')), to: 'depends: [busybox]\n' },
  ],
  'jobs-fixed': [build('make -j4'), build('make -j"$JOBS" # not -j4')],
  'jobs-missing': [build('make'), build('make -C doc -j"$JOBS" all')],
  'usr-local': [
    prepare('cp a /usr/local/lib; ./configure --prefix=/usr --host="$HOST"'),
    build('sed -i s:/usr/local:/usr: x'),
  ],
  sudo: [install('sudo make install DESTDIR="$DESTDIR"'), install('cp su sudo "$DESTDIR"')],
  'network-in-steps': [build('cd x && curl -O https://example.org'), build('cp curl wget .')],
  'owners-in-steps': [install('chown root "$DESTDIR/x"')],
  'install-owner': [install('install -o root x "$DESTDIR"'), install('install -D x "$DESTDIR"')],
  'destdir-missing': [install('make install'), install('make install prefix="$DESTDIR/usr"')],
  'prefix-missing': [
    prepare('./configure --host="$HOST"'),
    prepare('./configure --host="$HOST" \\\n    --prefix=/usr'),
  ],
  'host-missing': [prepare('./configure --prefix=/usr'), prepare('CC="$CC" ./configure --prefix=/usr')],
  'compiler-fixed': [build('gcc x.c -o x'), build('$BUILD_CC x.c; "$CC" y.c; grep gcc x')],
  'strip-in-steps': [install('"$STRIP" x'), install('make STRIP="$STRIP" DESTDIR="$DESTDIR"')],
  'error-ignored': [build('make -j"$JOBS" || true'), build('make -j"$JOBS" || exit 1')],
  'check-ignored': [check('make check || true'), check('make check')],
  'clock-in-steps': [build('echo "$(date)" >x'), build('echo "$(date -u -d "@$SOURCE_DATE_EPOCH")" >x')],
  'architecture-fixed': [
    build('make HOST=x86_64-linux-musl -j"$JOBS"'),
    build('make HOST="$HOST" -j"$JOBS"'),
  ],
  'libdir-multiarch': [install('cp x "$DESTDIR/usr/lib64/"'), install('cp x "$DESTDIR/usr/lib/64/"')],
  'patch-in-steps': [prepare('patch -p1 <"$RECIPE/x"'), prepare('cp patch x')],
};

const rulesOf = (findings: readonly Finding[]): string[] => findings.map(({ rule }) => rule);

test('a clean recipe gives no finding', () => {
  expect(lint({})).toEqual([]);
});

/** The text of the line that the finding of a rule points to, from its column on. */
function pointsTo(rule: string, change: Change): string | undefined {
  const place = lint(change).find((finding) => finding.rule === rule)?.place;
  if (place === undefined) return undefined;
  const lines = fs.readFileSync(place.file, 'utf8').split('\n');
  return lines[place.line - 1]?.slice(place.column - 1);
}

test.each<[string, Change, string]>([
  ['description-style', description('A program'), 'description: A program'],
  ['list-repeats', { from: '[musl]', to: '[musl, musl]' }, 'musl]'],
  [
    'source-closed-host',
    url('https://demo.googlecode.com/demo-1.2.0.tar.gz'),
    'url: https://demo.googlecode.com/demo-1.2.0.tar.gz',
  ],
  ['sha256-placeholder', { from: SUM, to: 'a'.repeat(64) }, `sha256: ${'a'.repeat(64)}`],
  ['jobs-fixed', build('cd x\n  make -j4'), '  make -j4'],
  ['prefix-missing', prepare('cd \\\n    x\n  ./configure --host="$HOST"'), '  ./configure --host="$HOST"'],
  ['jobs-missing', { from: 'build: |\n  make -j"$JOBS"\n', to: 'build: make\n' }, 'build: make'],
  ['patch-missing', { more: 'patches: [a.patch]\n' }, 'a.patch]'],
  ['space-at-end', { more: '# note \n' }, '# note '],
  ['folder-name-differs', { folder: 'other' }, 'name: demo'],
  [
    'subpackage-description-missing',
    { more: 'subpackages:\n  - { name: demo-x, files: [x] }\n' },
    '{ name: demo-x, files: [x] }',
  ],
  ['url-missing', { from: 'url: https://example.org/demo\n' }, 'name: demo'],
])('%s points to the field', (rule, change, text) => {
  expect(pointsTo(rule, change)).toBe(text);
});

test('what the recipe itself makes is provided, wherever it lies', () => {
  const home = path.join(root, 'outside', 'demo');
  fs.mkdirSync(home, { recursive: true });
  const more = `depends: [demo-tools, demo-de, "demo-api@=1.0.0", demo-tolls]
subpackages:
  - { name: demo-tools, files: [usr/bin/x], provides: ["demo-api@=1.0.0"] }
  - { name: 'demo-\${each}', forEach: [de], files: [x] }
`;
  fs.writeFileSync(path.join(home, 'recipe.yaml'), CLEAN + more);
  const { findings } = lintSubjects([home], [path.join(root, 'elsewhere')]);
  expect(findings.filter(({ rule }) => rule === 'depends-unprovided')).toMatchObject([
    { message: 'demo needs demo-tolls, which no recipe makes; did you mean demo-tools?' },
  ]);
});

test.each([
  ['musl-dev', 'there is no recipe musl-dev; the recipe musl makes it'],
  ['mulS', 'there is no recipe mulS; did you mean musl?'],
  ['nothing-like-it', 'there is no recipe nothing-like-it'],
])('a build dependency on %s is told what is near', (name, message) => {
  const findings = lint({ from: '[musl]', to: `[${name}]` });
  expect(findings).toMatchObject([{ rule: 'build-depends-unknown', message }]);
});

test('every rule on recipes has a case', () => {
  expect(Object.keys(CASES).toSorted()).toEqual(RECIPE_RULES.map(({ name }) => name).toSorted());
});

test.each(Object.entries(CASES))('%s finds', (rule, [fires]) => {
  expect(rulesOf(lint(fires))).toContain(rule);
});

const NEAR_MISSES = Object.entries(CASES).flatMap(([rule, [, passes]]): [string, Change][] =>
  passes === undefined ? [] : [[rule, passes]],
);

test.each(NEAR_MISSES)('%s lets a near miss pass', (rule, passes) => {
  expect(rulesOf(lint(passes))).not.toContain(rule);
});

test('what the recipe allows carries its reason and blocks nothing', () => {
  const allow = 'lint:\n  allow:\n    - { rule: jobs-missing, reason: its Makefile has one target }\n';
  const [finding] = lint({ ...build('make'), more: allow });
  expect(finding).toMatchObject({ rule: 'jobs-missing', allowed: 'its Makefile has one target' });
});

test('recipes that cannot be read are told together, and the others are looked at', () => {
  const recipes = path.join(root, 'mixed');
  const texts = {
    good: `${CLEAN.replace('name: demo', 'name: good')}# note \n`,
    one: 'nam: x\n',
    two: 'name: [\n',
  };
  for (const [name, text] of Object.entries(texts)) {
    fs.mkdirSync(path.join(recipes, name), { recursive: true });
    fs.writeFileSync(path.join(recipes, name, 'recipe.yaml'), text);
  }
  const { findings, problem, unreadable } = lintSubjects([], [recipes]);
  expect(findings.map(({ rule }) => rule)).toContain('space-at-end');
  expect(unreadable).toBe(2);
  expect(problem?.message).toMatch(/one\/recipe\.yaml:1:1: .*\n.*two\/recipe\.yaml:/);
  expect(() => allRecipes([recipes], 'x86_64')).toThrow(/one\/recipe\.yaml.*\n.*two\/recipe\.yaml/);
});

/** Every rule on packages: a package that it finds, and one that it lets pass. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as v from 'valibot';
import { writePackage, type PackageEntry, type PackageMetadata } from '#schema/container/write';
import { lintPackages, refuseBuilt, type Finding } from '#pkgbuild/lint/lint';
import { lintDocument } from '#pkgbuild/lint/document';
import { ALL_RULES, PACKAGE_RULES } from '#pkgbuild/lint/rules';
import { RecipeSchema } from '#pkgbuild/recipe-schema';
import { icepkg } from '../cli/icepkg.ts';

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-lint-package-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A string is a file's text. */
type Declared =
  | string
  | Buffer
  | { readonly text: string | Buffer; readonly mode?: number; readonly config?: true; readonly user?: string }
  | { readonly link: string }
  | { readonly directory: number }
  | { readonly device: true }
  | { readonly xattrs: Readonly<Record<string, string>> };

interface Declaration extends Partial<PackageMetadata> {
  readonly files?: Readonly<Record<string, Declared>>;
}

function entryOf(name: string, declared: Declared): PackageEntry {
  if (typeof declared === 'string' || Buffer.isBuffer(declared))
    return { type: 'file', path: name, mode: 0o644, content: Buffer.from(declared) };
  if ('link' in declared) return { type: 'symlink', path: name, target: declared.link };
  if ('directory' in declared) return { type: 'directory', path: name, mode: declared.directory };
  if ('device' in declared) return { type: 'character-device', path: name, mode: 0o600, major: 1, minor: 3 };
  const { text, xattrs, ...more } = { text: '', xattrs: undefined, ...declared };
  const attributes = xattrs === undefined ? {} : { xattrs };
  return { type: 'file', path: name, mode: 0o644, content: Buffer.from(text), ...attributes, ...more };
}

let count = 0;
async function pack({ files = {}, ...more }: Declaration): Promise<string> {
  const home = path.join(folder, String(count++));
  fs.mkdirSync(home);
  const described = { license: 'MIT', description: 'Greets', origin: 'demo' };
  const metadata = { name: 'demo', version: '1.0.0-r0', arch: 'x86_64', ...described, ...more } as const;
  const entries = Object.entries(files).map(([name, declared]) => entryOf(name, declared));
  const output = path.join(home, 'demo.icepkg');
  return (await writePackage({ metadata, entries, output, codec: 'zstd' })).file;
}

async function lint(declaration: Declaration): Promise<Finding[]> {
  return lintPackages({ files: [await pack(declaration)], recipeOf: () => undefined });
}

interface Compiled {
  readonly arch?: 'x86_64' | 'aarch64';
  readonly flags?: readonly string[];
  readonly source?: string;
}

/** A program without C library; with `-shared` a library. */
function compile({ arch = 'x86_64', flags = [], source = '' }: Compiled = {}): Buffer {
  const output = path.join(folder, `elf-${count++}`);
  fs.writeFileSync(
    `${output}.c`,
    `${source}\nint answer(void) { return 42; }\nvoid _start(void) { answer(); }\n`,
  );
  const base = ['-nostdlib', '-fno-stack-protector', '-fPIC', '-Wl,-dynamic-linker,/lib/ld-musl-x86_64.so.1'];
  const fixed = ['-pie', '-Wl,-z,now', '-Wl,-z,relro', '-Wl,-z,noexecstack'];
  execFileSync(`${arch}-linux-gnu-gcc`, [
    ...base,
    ...fixed,
    ...(flags.includes('-g') ? [] : ['-s']),
    ...flags,
    `${output}.c`,
    '-o',
    output,
  ]);
  return fs.readFileSync(output);
}

const program = (flags: readonly string[] = [], source = ''): Declaration => ({
  files: { 'usr/bin/demo': { text: compile({ flags, source }), mode: 0o755 } },
});
const library = (soname: string | undefined, name: string): Declaration => ({
  files: {
    [`usr/lib/${name}`]: compile({
      flags: ['-shared', ...(soname === undefined ? [] : [`-Wl,-soname,${soname}`])],
    }),
  },
});
const file = (name: string, text: Declared = 'text'): Declaration => ({ files: { [name]: text } });
const script = (shebang: string, more: Declaration = {}): Declaration => ({
  files: { 'usr/bin/demo': { text: `#!${shebang}\n`, mode: 0o755 } },
  ...more,
});
const MODULE = 'static int value; int *pointer = &value;';
const service = (user: string): NonNullable<Declaration['services']> => [
  { name: 'demo', command: ['/usr/bin/demo'], user },
];

/** What the rule finds, and what it lets pass. Built when the test runs. */
const CASES: Readonly<Record<string, readonly [() => Declaration, () => Declaration]>> = {
  'arch-mismatch': [
    () => file('usr/lib/x', compile({ arch: 'aarch64', flags: ['-shared'] })),
    () => file('usr/lib/firmware/x', compile({ arch: 'aarch64', flags: ['-shared'] })),
  ],
  'elf-broken': [() => file('usr/lib/x', compile().subarray(0, 100)), () => program()],
  'build-path-runpath': [() => program(['-Wl,-rpath,/build/sysroot/usr/lib']), () => program()],
  runpath: [
    () => program(['-Wl,-rpath,/usr/lib']),
    () => program(['-Wl,-rpath,$ORIGIN/../lib:/usr/lib/demo']),
  ],
  'soname-missing': [() => library(undefined, 'libdemo.so.1'), () => library('libdemo.so.1', 'libdemo.so.1')],
  'soname-file-missing': [
    () => library('libdemo.so.1', 'libdemo.so.2'),
    () => library('libdemo.so.1', 'libdemo.so.1'),
  ],
  unstripped: [() => program(['-g']), () => program()],
  'debug-archive': [
    () => file('usr/lib/x.a', '!<arch>\n .debug_info'),
    () => file('usr/lib/x.a', '!<arch>\n .text'),
  ],
  'executable-stack': [() => program(['-Wl,-z,execstack']), () => program()],
  'text-relocations': [
    () =>
      program(
        ['-fno-PIC', '-mcmodel=large', '-Wl,-z,notext'],
        `${MODULE} int *get(void) { return pointer; }`,
      ),
    () => program(),
  ],
  'not-position-independent': [() => program(['-no-pie', ...needing()]), () => program(needing())],
  'relro-missing': [() => program(['-Wl,-z,norelro']), () => program([], MODULE)],
  'bind-now-missing': [() => program(['-Wl,-z,lazy', ...needing()]), () => program(needing())],
  'loader-unknown': [() => program(['-Wl,-dynamic-linker,/lib64/ld-linux-x86-64.so.2']), () => program()],
  'volatile-path': [() => file('run/demo/x'), () => file('var/lib/x')],
  'local-path': [() => file('usr/local/bin/x'), () => file('usr/share/local/x')],
  'build-folder-path': [() => file('build/dest/usr/x'), () => file('usr/share/build/x')],
  'unknown-top-folder': [() => file('etcetera/x'), () => file('etc/x')],
  setuid: [
    () => file('usr/bin/x', { text: '', mode: 0o4755 }),
    () => file('usr/bin/x', { text: '', mode: 0o755 }),
  ],
  setgid: [() => file('usr/bin/x', { text: '', mode: 0o2755 }), () => file('usr/bin', { directory: 0o2755 })],
  'file-capabilities': [
    () => file('usr/bin/x', { xattrs: { 'security.capability': 'AAAA' } }),
    () => file('usr/bin/x', { xattrs: { 'user.note': 'AAAA' } }),
  ],
  'world-writable': [() => file('var/x', { directory: 0o777 }), () => file('var/x', { directory: 0o1777 })],
  unreadable: [
    () => file('usr/share/x', { text: '', mode: 0o600 }),
    () => file('etc/x', { text: '', mode: 0o600 }),
  ],
  'command-not-executable': [() => file('usr/bin/x'), () => file('usr/bin/x', { text: '', mode: 0o755 })],
  'executable-data': [
    () => file('usr/include/x.h', { text: '', mode: 0o755 }),
    () => file('usr/include/x.h'),
  ],
  'device-node': [() => file('var/null', { device: true }), () => file('var/null')],
  'dev-files-in-main': [
    () => file('usr/include/x.h'),
    () => ({ ...file('usr/include/x.h'), name: 'demo-dev' }),
  ],
  'static-library-in-main': [() => file('usr/lib/x.a'), () => ({ ...file('usr/lib/x.a'), name: 'demo-dev' })],
  'documentation-in-main': [
    () => file('usr/share/man/man1/x.1'),
    () => ({ ...file('usr/share/man/man1/x.1'), name: 'demo-doc' }),
  ],
  'documentation-large': [
    () => file('usr/share/doc/x', 'x'.repeat(600 * 1024)),
    () => file('usr/share/doc/x', 'x'.repeat(100)),
  ],
  'libtool-archive': [() => file('usr/lib/x.la'), () => file('usr/lib/x.a')],
  'object-file': [() => file('usr/lib/x.o'), () => file('usr/lib/Scrt1.o')],
  'symlink-outside': [() => file('usr/x', { link: '../../etc' }), () => file('usr/x', { link: '../etc' })],
  'symlink-dangling': [
    () => file('usr/x', { link: 'y' }),
    () => ({ files: { 'usr/x': { link: '/usr/y' }, 'usr/y': '', 'etc/x': { link: '/run/x' } } }),
  ],
  'symlink-absolute': [() => file('usr/x', { link: '/usr/y' }), () => file('usr/x', { link: 'y' })],
  'duplicate-content': [
    () => ({ files: { a: 'x'.repeat(20_000), b: 'x'.repeat(20_000) } }),
    () => ({ files: { a: 'small', b: 'small' } }),
  ],
  'case-twins': [
    () => ({ files: { 'boot/a': '', 'boot/A': '' } }),
    () => ({ files: { 'boot/a': '', 'boot/b': '' } }),
  ],
  'leftover-file': [() => file('etc/x.orig'), () => file('etc/original')],
  'compiled-cache': [() => file('usr/lib/python3/__pycache__/x.pyc'), () => file('usr/lib/python3/x.py')],
  'shared-cache': [() => file('usr/share/info/dir'), () => file('usr/share/info/demo')],
  'package-empty': [() => ({}), () => ({ depends: ['other'] })],
  'package-without-license': [() => ({ license: undefined }), () => ({})],
  'package-without-description': [() => ({ description: undefined }), () => ({})],
  'license-text-missing': [
    () => ({ ...file('x'), license: 'GPL-2.0-only' }),
    () => ({ ...file('usr/share/licenses/demo/COPYING'), license: 'GPL-2.0-only' }),
  ],
  'library-unprovided': [
    () => ({ depends: ['so:libother.so.1'] }),
    () => ({ depends: ['so:libdemo.so.1'], provides: ['so:libdemo.so.1@=1.0.0'] }),
  ],
  'dependency-unprovided': [
    () => ({ depends: ['other@^1'] }),
    () => ({ depends: ['other | demo', '!third'] }),
  ],
  'interpreter-undeclared': [
    () => script('/usr/bin/env lua'),
    () => script('/bin/sh', { depends: ['cmd:sh'] }),
  ],
  'interpreter-not-on-system': [() => script('/build/tools/bin/perl'), () => script('/usr/bin/perl')],
  'build-path': [() => file('usr/share/x', 'see /build/src/x'), () => file('usr/share/x', 'see /build/')],
  'gzip-time': [() => file('usr/x.gz', withTime(7)), () => file('usr/x.gz', withTime(0))],
  'compressed-manual': [() => file('usr/share/man/man1/x.1.gz'), () => file('usr/share/man/man1/x.1')],
  'config-undeclared': [() => file('etc/x'), () => file('etc/x', { text: '', config: true })],
  'config-elsewhere': [
    () => file('usr/x', { text: '', config: true }),
    () => file('etc/x', { text: '', config: true }),
  ],
  'account-undeclared': [
    () => ({ ...file('var/x', { text: '', user: 'demo' }), services: service('other') }),
    () => ({ ...file('var/x', { text: '', user: 'demo' }), users: [{ name: 'demo' }] }),
  ],
  'service-command-missing': [
    () => ({ services: service('root') }),
    () => ({ ...file('usr/bin/demo'), services: service('root') }),
  ],
  'script-declarable': [
    () => ({ scripts: { postInstall: 'adduser demo' } }),
    () => ({ scripts: { postInstall: 'demo --migrate' } }),
  ],
};

/** Flags that link to a library. */
function needing(): string[] {
  const lib = path.join(folder, 'libneeded.so');
  fs.writeFileSync(lib, compile({ flags: ['-shared', '-Wl,-soname,libneeded.so'] }));
  return ['-Wl,--no-as-needed', lib];
}

function withTime(seconds: number): Buffer {
  const bytes = gzipSync('text');
  bytes.writeUInt32LE(seconds, 4);
  return bytes;
}

const rulesOf = (findings: readonly Finding[]): string[] => findings.map(({ rule }) => rule);

test('every rule on packages has a case, and a name of its own', () => {
  expect(Object.keys(CASES).toSorted()).toEqual(PACKAGE_RULES.map(({ name }) => name).toSorted());
  expect(new Set(ALL_RULES.map(({ name }) => name)).size).toBe(ALL_RULES.length);
});

test.each(Object.entries(CASES))('%s', async (rule, [fires, passes]) => {
  expect(rulesOf(await lint(fires()))).toContain(rule);
  expect(rulesOf(await lint(passes()))).not.toContain(rule);
});

test('a well-made program gives no finding', async () => {
  expect(await lint(program([], MODULE))).toEqual([]);
});

test('packages of one folder provide for each other', async () => {
  const both = [
    await pack({ name: 'demo', depends: ['so:libdemo.so.1', 'cmd:lua'], files: { 'usr/x': { link: 'y' } } }),
    await pack({ name: 'other', provides: ['so:libdemo.so.1', 'cmd:lua'], files: { 'usr/y': '' } }),
  ];
  expect(lintPackages({ files: both, recipeOf: () => undefined })).toEqual([]);
});

test('a build is refused for an error, unless the recipe allows it for that path', async () => {
  const built = await pack(file('opt/demo/x'));
  const refuse = (paths: readonly string[]): void => {
    const allow = [{ rule: 'local-path', paths, reason: 'made for one machine' }];
    const recipe = v.parse(RecipeSchema, { name: 'demo', version: '1.0.0', license: 'MIT', lint: { allow } });
    refuseBuilt(recipe, [built]);
  };
  expect(() => refuse(['opt/other'])).toThrow(
    "demo: opt/demo/x is in a folder of the machine's operator (local-path)",
  );
  expect(() => refuse(['opt/demo'])).not.toThrow();
});

test('the command ends with 16 where it finds what it was asked to fail on', async () => {
  const bad = await pack(file('run/x'));
  expect(icepkg(['recipe', 'lint', bad])).toMatchObject({
    status: 16,
    stdout: expect.stringContaining(
      'demo: error: run/x is in a folder that a start empties (volatile-path)\n',
    ) as string,
  });
  const styled = await pack({ ...file('usr/x'), description: undefined });
  expect(icepkg(['recipe', 'lint', styled]).status).toBe(0);
  const json = icepkg(['recipe', 'lint', styled, '--fail-on', 'style', '--json']);
  expect(json.status).toBe(16);
  expect(JSON.parse(json.stdout)).toMatchObject({
    findings: [{ rule: 'package-without-description', severity: 'style', subject: 'demo' }],
  });
  expect(icepkg(['recipe', 'lint', '--explain', 'volatile-pat'])).toMatchObject({
    status: 8,
    stderr: expect.stringContaining('Did you mean volatile-path?') as string,
  });
});

test('docs/lint.md is what `npm run docs` writes', () => {
  const page = fs.readFileSync(new URL('../../docs/lint.md', import.meta.url), 'utf8');
  expect(page).toBe(lintDocument());
});

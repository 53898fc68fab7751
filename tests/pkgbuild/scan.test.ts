/** Real binaries of both architectures, made by the host's compilers without any C library. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MachineArch } from '#schema/fields';
import { parseElf } from '#pkgbuild/elf';
import { parsePkgConfig, pkgConfigDependency } from '#pkgbuild/pkgconfig';
import { RecipeSchema } from '#pkgbuild/recipe-schema';
import { resolveRecipe, type ResolvedRecipe } from '#pkgbuild/resolve-recipe';
import { scanPart } from '#pkgbuild/scan';
import { splitTree } from '#pkgbuild/split';
import { walkTree } from '#pkgbuild/tree';
import * as v from 'valibot';

const ARCHES = ['x86_64', 'aarch64'] as const;
let root: string;
const treeOf = (arch: string): string => path.join(root, arch);

beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-scan-'));
  for (const arch of ARCHES) {
    const tree = treeOf(arch);
    for (const folder of ['usr/lib/pkgconfig', 'usr/bin', 'usr/include', 'usr/share/man/man1'])
      fs.mkdirSync(path.join(tree, folder), { recursive: true });
    fs.writeFileSync(path.join(root, 'lib.c'), 'int answer(void) { return 42; }\n');
    fs.writeFileSync(
      path.join(root, 'main.c'),
      'int answer(void);\nvoid _start(void) { answer(); for (;;) {} }\n',
    );
    const gcc = (...args: string[]): Buffer =>
      execFileSync(`${arch}-linux-gnu-gcc`, ['-nostdlib', '-fno-stack-protector', ...args], { cwd: root });
    gcc('-shared', '-fPIC', '-Wl,-soname,libanswer.so.1', 'lib.c', '-o', `${arch}/usr/lib/libanswer.so.1.0`);
    fs.symlinkSync('libanswer.so.1.0', path.join(tree, 'usr/lib/libanswer.so.1'));
    fs.symlinkSync('libanswer.so.1', path.join(tree, 'usr/lib/libanswer.so'));
    gcc(
      'main.c',
      '-o',
      `${arch}/usr/bin/ask`,
      `-L${arch}/usr/lib`,
      '-lanswer',
      '-Wl,-dynamic-linker,/lib/ld-test.so.1',
    );
    gcc('-c', 'lib.c', '-o', `${arch}/usr/lib/answer.o`);
    fs.writeFileSync(path.join(tree, 'usr/include/answer.h'), 'int answer(void);\n');
    fs.writeFileSync(path.join(tree, 'usr/share/man/man1/ask.1'), '.TH ask\n');
    fs.writeFileSync(
      path.join(tree, 'usr/lib/pkgconfig/answer.pc'),
      'base=1.2\nName: answer\nVersion: ${base}\nRequires: zlib >= 1.2, plain\nRequires.private: odd = 9p1\n',
    );
  }
});
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

const resolved = (fields: unknown): ResolvedRecipe =>
  resolveRecipe({ recipe: v.parse(RecipeSchema, fields), folder: '' }, 'x86_64');
const recipe = resolved({ name: 'answer', version: '1.2.0', license: 'MIT' });

test('scripts among the commands need their interpreters, whatever shell there is', () => {
  const tree = fs.mkdtempSync(path.join(root, 'scripts-'));
  fs.mkdirSync(path.join(tree, 'usr/bin'), { recursive: true });
  fs.mkdirSync(path.join(tree, 'usr/share'));
  const scripts: Record<string, string> = {
    'usr/bin/shell': '#!/bin/sh -e\n',
    'usr/bin/full': '#! /bin/bash\n',
    'usr/bin/found': '#!/usr/bin/env -S lua -i\n',
    'usr/bin/own': '#!/usr/bin/full\n',
    'usr/bin/empty': '#!\n',
    'usr/bin/text': 'no script',
    'usr/bin/cut': '#!/usr/bin/awk -f',
    'usr/share/example': '#!/usr/bin/perl\n',
  };
  for (const [file, text] of Object.entries(scripts))
    fs.writeFileSync(path.join(tree, file), text, { mode: 0o755 });
  fs.writeFileSync(path.join(tree, 'usr/bin/data'), '#!/usr/bin/ruby\n', { mode: 0o644 });
  const [part] = splitTree(recipe, walkTree(tree));
  expect(scanPart(part!, { root: tree, arch: 'noarch', version: '1.2.0' }).depends).toEqual([
    'cmd:awk',
    'cmd:bash',
    'cmd:lua',
  ]);
});

describe.each(ARCHES)('on %s', (arch) => {
  test('ELF files tell machine, interpreter, soname and needs', () => {
    const read = (file: string): ReturnType<typeof parseElf> =>
      parseElf(fs.readFileSync(path.join(treeOf(arch), file)));
    expect(read('usr/lib/libanswer.so.1.0')).toMatchObject({
      machine: arch,
      kind: 'shared',
      soname: 'libanswer.so.1',
      needed: [],
    });
    expect(read('usr/bin/ask')).toMatchObject({
      machine: arch,
      interpreter: '/lib/ld-test.so.1',
      needed: ['libanswer.so.1'],
    });
    expect(read('usr/lib/answer.o')).toMatchObject({ machine: arch, kind: 'relocatable' });
  });

  test('packages get what they provide and need', () => {
    const parts = splitTree(recipe, walkTree(treeOf(arch)));
    const found = Object.fromEntries(
      parts.map((part) => [part.name, scanPart(part, { root: treeOf(arch), arch, version: '1.2.0' })]),
    );
    expect(found).toEqual({
      answer: { provides: ['cmd:ask', 'so:libanswer.so.1@=1.2.0'], depends: [] },
      'answer-dev': {
        provides: ['pc:answer@=1.2.0'],
        depends: ['pc:odd', 'pc:plain', 'pc:zlib@>=1.2.0', 'so:libanswer.so.1'],
      },
      'answer-doc': { provides: [], depends: [] },
    });
    expect(
      parts.map(({ entries }) =>
        entries.filter(({ type }) => type !== 'directory').map((entry) => entry.path),
      ),
    ).toEqual([
      ['usr/bin/ask', 'usr/lib/libanswer.so.1', 'usr/lib/libanswer.so.1.0'],
      ['usr/include/answer.h', 'usr/lib/answer.o', 'usr/lib/libanswer.so', 'usr/lib/pkgconfig/answer.pc'],
      ['usr/share/man/man1/ask.1'],
    ]);
  });

  test('libraries for glibc are named apart from those for musl', () => {
    const tree = fs.mkdtempSync(path.join(root, 'gnu-'));
    const multiarch = `usr/lib/${arch}-linux-gnu`;
    for (const folder of [`${multiarch}/private`, 'usr/bin'])
      fs.mkdirSync(path.join(tree, folder), { recursive: true });
    const gcc = (...args: string[]): Buffer =>
      execFileSync(`${arch}-linux-gnu-gcc`, ['-nostdlib', '-fno-stack-protector', ...args], { cwd: root });
    const library = (name: string, file: string, ...more: string[]): Buffer =>
      gcc('-shared', '-fPIC', `-Wl,-soname,${name}`, 'lib.c', '-o', path.join(tree, file), ...more);
    library('libc.so.6', `${multiarch}/libc.so.6`);
    library('libdata.so.1', `${multiarch}/libdata.so.1`);
    library('libown.so.1', `${multiarch}/private/libown.so.1`, path.join(tree, `${multiarch}/libc.so.6`));
    const link = ['-Wl,--no-as-needed', `-Wl,-rpath,$ORIGIN/../lib/${arch}-linux-gnu/private`];
    gcc(
      'main.c',
      ...link,
      ...['libc.so.6', 'libdata.so.1', 'private/libown.so.1'].map((file) => path.join(tree, multiarch, file)),
      path.join(treeOf(arch), 'usr/lib/libanswer.so.1'),
      '-o',
      path.join(tree, 'usr/bin/ask'),
    );
    const [part] = splitTree({ ...recipe, split: false }, walkTree(tree));
    expect(scanPart(part!, { root: tree, arch, version: '1.2.0' })).toEqual({
      provides: ['cmd:ask', 'so:gnu/libc.so.6@=1.2.0', 'so:gnu/libdata.so.1@=1.2.0'],
      depends: ['so:gnu/libanswer.so.1'],
    });
  });

  test('a program for another architecture stops the build', () => {
    const [part] = splitTree(recipe, walkTree(treeOf(arch)));
    const other: MachineArch = arch === 'x86_64' ? 'aarch64' : 'x86_64';
    expect(() => scanPart(part!, { root: treeOf(arch), arch: other, version: '1.2.0' })).toThrow(
      `answer: usr/bin/ask is for ${arch}, but the package is for ${other}`,
    );
    expect(() => scanPart(part!, { root: treeOf(arch), arch: 'noarch', version: '1.2.0' })).toThrow(
      'the package is for noarch',
    );
    const firmware = {
      root: treeOf(arch),
      arch: other,
      version: '1.2.0',
      foreignCode: ['usr/bin/ask', 'usr/lib'],
    };
    expect(scanPart(part!, firmware)).toEqual({ provides: ['cmd:ask'], depends: [] });
  });

  test('an ELF file cut short anywhere is refused or read, never a crash', () => {
    const bytes = fs.readFileSync(path.join(treeOf(arch), 'usr/bin/ask'));
    for (let length = 0; length < bytes.length; length += 7) parseElf(bytes.subarray(0, length));
    expect(parseElf(bytes.subarray(0, 100))).toBeUndefined();
  });
});

test('a subpackage takes what its patterns name and must not stay empty', () => {
  const withTools = resolved({
    name: 'answer',
    version: '1.2.0',
    license: 'MIT',
    split: false,
    subpackages: [{ name: 'answer-tools', files: ['usr/bin/*'] }],
  });
  const parts = splitTree(withTools, walkTree(treeOf('x86_64')));
  expect(parts.map(({ name }) => name)).toEqual(['answer', 'answer-tools']);
  expect(parts[1]?.entries.map((entry) => entry.path)).toEqual(['usr', 'usr/bin', 'usr/bin/ask']);
  const empty = { ...withTools, subpackages: [{ name: 'answer-none', files: ['opt/**'] }] };
  expect(() => splitTree(empty, walkTree(treeOf('x86_64')))).toThrow(
    'no installed file matches the patterns of subpackage answer-none',
  );
});

test('links that lead out of the tree are not followed', () => {
  const tree = fs.mkdtempSync(path.join(root, 'links-'));
  fs.mkdirSync(path.join(tree, 'usr/lib/pkgconfig'), { recursive: true });
  fs.symlinkSync(
    path.join(treeOf('x86_64'), 'usr/lib/pkgconfig/answer.pc'),
    path.join(tree, 'usr/lib/pkgconfig/out.pc'),
  );
  fs.symlinkSync(
    path.join(treeOf('x86_64'), 'usr/lib/libanswer.so.1.0'),
    path.join(tree, 'usr/lib/libout.so'),
  );
  fs.symlinkSync('loop.so', path.join(tree, 'usr/lib/loop.so'));
  const parts = splitTree(recipe, walkTree(tree));
  expect(parts.map((part) => scanPart(part, { root: tree, arch: 'x86_64', version: '1.2.0' }))).toEqual([
    { provides: [], depends: [] },
    { provides: [], depends: [] },
  ]);
});

test('.pc files: variables, continued lines, comments and versions that are not semantic', () => {
  const file = parsePkgConfig('v=3\nVersion: ${v}.1 # now\nRequires: a>=1.2 \\\n b < 2\n');
  expect(file.version).toBe('3.1');
  expect(file.requires.map(pkgConfigDependency)).toEqual(['pc:a@>=1.2.0', 'pc:b@<2.0.0']);
});

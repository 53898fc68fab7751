/** Two packages that differ in every way, and two that do not. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writePackage, type PackageEntry, type PackageMetadata } from '#schema/container/write';
import { diffPackages, isSame } from '#pkgbuild/compare/diff';
import { diffText } from '#pkgbuild/compare/diff-text';
import { icepkg } from '../cli/icepkg.ts';

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-diff-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string | Uint8Array, mode = 0o644): PackageEntry => ({
  type: 'file',
  path: name,
  mode,
  content: Buffer.from(text),
});

async function pack(
  output: string,
  entries: readonly PackageEntry[],
  more: Partial<PackageMetadata> = {},
): Promise<string> {
  const metadata = { name: 'demo', version: '1.0.0-r0', arch: 'x86_64', ...more } as const;
  return (await writePackage({ metadata, entries, output: path.join(folder, output), codec: 'zstd' })).file;
}

/** A library with the SONAME libdemo.so.1. */
function library(...functions: readonly string[]): Buffer {
  const output = path.join(folder, 'lib.so');
  fs.writeFileSync(
    path.join(folder, 'lib.c'),
    functions.map((name) => `int ${name}(void) { return 1; }`).join('\n'),
  );
  const flags = ['-nostdlib', '-shared', '-fPIC', '-s', '-Wl,-soname,libdemo.so.1'];
  execFileSync('x86_64-linux-gnu-gcc', [...flags, path.join(folder, 'lib.c'), '-o', output]);
  return fs.readFileSync(output);
}

test('files, lists, fields and symbols that differ are named', async () => {
  const before = await pack(
    'old.icepkg',
    [
      file('etc/demo.conf', 'a'),
      file('usr/bin/gone', 'x'.repeat(100)),
      file('usr/bin/same', 'same', 0o755),
      file('usr/lib/libdemo.so.1', library('kept', 'lost')),
      { type: 'symlink', path: 'usr/bin/link', target: 'same' },
    ],
    { depends: ['zlib', 'musl'], license: 'MIT' },
  );
  const after = await pack(
    'new.icepkg',
    [
      file('etc/demo.conf', 'ab'),
      file('usr/bin/new', 'y'),
      file('usr/bin/same', 'same', 0o700),
      file('usr/lib/libdemo.so.1', library('kept', 'gained')),
      { type: 'symlink', path: 'usr/bin/link', target: 'new' },
    ],
    {
      depends: ['zlib', 'zstd'],
      license: 'Zlib',
      version: '1.1.0-r0',
      services: [{ name: 'demo', command: ['/usr/bin/new'] }],
    },
  );
  const diff = diffPackages(before, after);
  expect(diff.files).toMatchObject({
    added: [{ path: 'usr/bin/new', type: 'file', size: 1 }],
    removed: [{ path: 'usr/bin/gone', type: 'file', size: 100 }],
    changed: [
      { path: 'etc/demo.conf', oldSize: 1, newSize: 2, changes: ['content'] },
      { path: 'usr/bin/link', changes: ['target same -> new'] },
      { path: 'usr/bin/same', changes: ['mode 0755 -> 0700'] },
      { path: 'usr/lib/libdemo.so.1', changes: ['content'] },
    ],
  });
  expect(diff.lists).toEqual({ depends: { added: ['zstd'], removed: ['musl'] } });
  expect(Object.keys(diff.fields)).toEqual(['license', 'services']);
  expect(diff.symbols).toEqual([{ soname: 'libdemo.so.1', added: ['gained'], removed: ['lost'] }]);
  expect(isSame(diff)).toBe(false);
  const text = diffText(diff, (bytes) => `${bytes} B`);
  expect(text[0]).toBe('demo 1.0.0-r0 x86_64 -> demo 1.1.0-r0 x86_64');
  expect(text).toEqual(
    expect.arrayContaining([
      '  + usr/bin/new (1 B)',
      '  ~ etc/demo.conf: content 1 B -> 2 B (+1 B)',
      '  ~ license: MIT -> Zlib',
      'Symbols of libdemo.so.1: programs that use what was removed break',
      '  - lost',
    ]),
  );
});

test('the command says that nothing differs, and its exit status says so where asked', async () => {
  const one = await pack('one.icepkg', [file('a', 'a')]);
  const rebuilt = await pack('two.icepkg', [file('a', 'a')], { version: '1.0.0-r1', buildTime: 7 });
  const other = await pack('three.icepkg', [file('a', 'b')]);
  expect(isSame(diffPackages(one, rebuilt))).toBe(true);
  expect(icepkg(['diff', one, rebuilt, '--exit-code'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('no difference\n') as string,
  });
  expect(icepkg(['diff', one, other]).status).toBe(0);
  const json = icepkg(['diff', one, other, '--exit-code', '--json']);
  expect(json.status).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ same: false, files: { changed: [{ path: 'a' }] } });
});

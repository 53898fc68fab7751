/** Manifests that say what no manifest may say: each is refused by name, whatever the content. */
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '#schema/canonical-json';
import { MAX_ALTERNATIVES, MAX_DECLARED, MAX_FRAME_BYTES, MAX_SCRIPT } from '#schema/limits';
import type { FileEntry, Frame } from '#schema/manifest';
import { forge, refusal, type Loose } from './support.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Spoils the first file. */
const first =
  (change: object) =>
  (manifest: Loose): object => ({
    ...manifest,
    files: manifest.files.map((entry, index) => (index === 0 ? { ...entry, ...change } : entry)),
  });
/** Spoils the only frame. */
const frame =
  (change: Partial<Frame> | object) =>
  (manifest: Loose): object => ({
    ...manifest,
    frames: manifest.frames.map((one) => ({ ...one, ...change })),
  });
/** Adds entries without content, in their order. */
const also =
  (...entries: readonly object[]) =>
  (manifest: Loose): object => ({
    ...manifest,
    files: [...manifest.files, ...entries].sort((a, b) =>
      (a as FileEntry).path < (b as FileEntry).path ? -1 : 1,
    ),
  });

const digits = 'a'.repeat(64);

test('the forger makes good packages too', async () => {
  expect(await refusal(await forge())).toBe('accepted');
  expect(await refusal(await forge(undefined, { codec: 'xz' }))).toBe('accepted');
});

describe('a manifest is refused for', () => {
  test.each<[string, (manifest: Loose) => object, string]>([
    ['another format', (m) => ({ ...m, format: 2 }), 'format'],
    ['an unknown field', (m) => ({ ...m, extra: 1 }), 'extra'],
    ['no name', (m) => ({ ...m, name: undefined }), 'name'],
    ['a name with a slash', (m) => ({ ...m, name: '../a' }), 'name: expected a package name'],
    ['a name with a shell’s signs', (m) => ({ ...m, name: 'a;reboot' }), 'name: expected a package name'],
    ['a name with a newline', (m) => ({ ...m, name: 'a\nb' }), 'name: expected a package name'],
    ['a name like an option', (m) => ({ ...m, name: '-rf' }), 'name: expected a package name'],
    ['a version with a path', (m) => ({ ...m, version: '1.0.0-r0/../x' }), 'version: expected a version'],
    ['a version without a release', (m) => ({ ...m, version: '1.0.0' }), 'version: expected a version'],
    [
      'more users than anybody declares',
      (m) => ({
        ...m,
        users: Array.from({ length: MAX_DECLARED + 1 }, (_, index) => ({ name: `u${index}` })),
      }),
      'users',
    ],
    [
      'more groups than anybody declares',
      (m) => ({
        ...m,
        groups: Array.from({ length: MAX_DECLARED + 1 }, (_, index) => ({ name: `g${index}` })),
      }),
      'groups',
    ],
    [
      'more services than anybody declares',
      (m) => ({
        ...m,
        services: Array.from({ length: MAX_DECLARED + 1 }, (_, index) => ({
          name: `s${index}`,
          command: ['/x'],
        })),
      }),
      'services',
    ],
    [
      'more alternatives than anybody offers',
      (m) => ({
        ...m,
        alternatives: Array.from({ length: MAX_ALTERNATIVES + 1 }, (_, index) => ({
          link: `usr/bin/${index}`,
          target: 'x',
          priority: 1,
        })),
      }),
      'alternatives',
    ],
    [
      'a script without end',
      (m) => ({ ...m, scripts: { postInstall: ' '.repeat(MAX_SCRIPT + 1) } }),
      'scripts',
    ],
    ['an unknown architecture', (m) => ({ ...m, arch: '../x' }), 'arch: expected one of'],
    ['a description of two lines', (m) => ({ ...m, description: 'a\nb' }), 'description: expected one line'],
    [
      'a description that colours',
      (m) => ({ ...m, description: '\u001b[31m' }),
      'description: expected one line',
    ],
    [
      'a description that turns round',
      (m) => ({ ...m, description: 'a\u202eb' }),
      'description: expected one line',
    ],
    [
      'a dependency that is none',
      (m) => ({ ...m, depends: ['a', 'b c'] }),
      'depends[1]: expected a dependency',
    ],
    ['a dependency that is a number', (m) => ({ ...m, depends: [1] }), 'depends[0]: expected a string'],
    ['too many dependencies', (m) => ({ ...m, depends: Array(10_001).fill('a') }), 'depends'],
    [
      'a service without the path of its program',
      (m) => ({ ...m, services: [{ name: 'a', command: ['reboot'] }] }),
      'services[0].command: expected the absolute path',
    ],
    ['no service command', (m) => ({ ...m, services: [{ name: 'a', command: [] }] }), 'services[0].command'],
    [
      'a user with a colon',
      (m) => ({ ...m, users: [{ name: 'a:0:0' }] }),
      'users[0].name: expected an account name',
    ],
    [
      'a home with a newline',
      (m) => ({ ...m, users: [{ name: 'a', home: '/\nroot::0:0' }] }),
      'users[0].home',
    ],
    ['a user twice', (m) => ({ ...m, users: [{ name: 'a' }, { name: 'a' }] }), 'declares a twice'],
    [
      'an alternative above the root',
      (m) => ({ ...m, alternatives: [{ link: '../a', target: 'b', priority: 1 }] }),
      'alternatives[0].link',
    ],
    [
      'a wrong sum of sizes',
      (m) => ({ ...m, installedSize: 1 }),
      'installedSize: is 1, but the files have 24 bytes',
    ],
    ['no frame', (m) => ({ ...m, frames: [] }), 'frames: holds no frame'],
  ])('%s', async (_, spoil, message) => {
    const told = await refusal(await forge(spoil));
    expect(told).toMatch('format-invalid: manifest of x.icepkg: ');
    expect(told).toMatch(message);
  });

  test.each<[string, object]>([
    ['an absolute path', { path: '/etc/a' }],
    ['a way out', { path: '../etc/a' }],
    ['a way out in the middle', { path: 'etc/../../a' }],
    ['a way out at the end', { path: 'etc/..' }],
    ['itself', { path: '.' }],
    ['a detour', { path: 'etc/./a' }],
    ['an empty component', { path: 'etc//a' }],
    ['a slash at the end', { path: 'etc/a/' }],
    ['nothing', { path: '' }],
    ['a NUL', { path: 'etc/a\u0000b' }],
    ['a newline', { path: 'etc/a\nb' }],
    ['an escape', { path: 'etc/a\u001b[2Jb' }],
    ['a C1 control', { path: 'etc/a\u009bb' }],
    ['a right-to-left mark', { path: 'etc/a\u202efdp' }],
    ['an isolate', { path: 'etc/a\u2066b' }],
    ['a byte order mark', { path: 'etc/\ufeffa' }],
    ['a replacement character', { path: 'etc/\ufffd' }],
    ['a name of 256 bytes', { path: `etc/${'a'.repeat(256)}` }],
    ['a name of 128 characters in 256 bytes', { path: `etc/${'é'.repeat(128)}` }],
    ['a path of 4096 bytes', { path: `${'abcdefg/'.repeat(511)}abcdefgh` }],
    ['a number', { path: 7 }],
  ])('a path that is %s', async (_, change) => {
    expect(await refusal(await forge(first(change)))).toMatch(
      /^format-invalid: manifest of x\.icepkg: files\[0\]\.path: expected a /,
    );
  });

  test('a path with half a surrogate pair, spelt as JSON may', async () => {
    const bad = await forge(undefined, {
      bytes: (it) => Buffer.from(text(it).replace('"etc/a"', String.raw`"etc/\ud800"`)),
    });
    expect(await refusal(bad)).toMatch(/^format-invalid: /);
  });

  test.each<[string, object, string]>([
    ['an absent digest', { sha256: undefined }, 'files[0].sha256'],
    ['a short digest', { sha256: 'abc' }, 'files[0].sha256: expected 64'],
    ['a long digest', { sha256: `${digits}a` }, 'files[0].sha256: expected 64'],
    ['a digest in capitals', { sha256: 'A'.repeat(64) }, 'files[0].sha256: expected 64'],
    ['a negative size', { size: -1 }, 'files[0].size'],
    ['the largest size there is', { size: Number.MAX_SAFE_INTEGER }, 'ends behind the last frame'],
    ['a size beyond the frames', { size: 1_000_000 }, 'ends behind the last frame'],
    ['a mode beyond twelve bits', { mode: 0o10644 }, 'files[0].mode'],
    ['an owner beyond 32 bits', { uid: 2 ** 32 }, 'files[0].uid'],
    ['the owner that means none', { uid: 2 ** 32 - 1 }, 'files[0].uid'],
    ['an owner with a newline', { user: 'a\nb' }, 'files[0].user'],
    ['frame 0', { frame: 0 }, 'files[0].frame'],
    ['a frame that is not listed', { frame: 2 }, 'is in frame 2, which is not listed'],
    ['no place', { frame: undefined, offset: undefined }, 'has content but no frame and offset'],
    ['a place within a block', { offset: 513 }, 'does not start at a block'],
    ['a place in the header of the next', { offset: 1024 }, 'overlaps'],
    ['a place at the start of the archive', { offset: 0 }, 'overlaps'],
    ['a place behind its frame', { offset: 1_048_576 }, 'starts behind the end of its frame'],
    ['an unknown type', { type: 'socket' }, 'files[0].type'],
    ['an attribute with a strange name', { xattrs: { 'evil.\n': 'aGk=' } }, 'impossible name'],
    ['an attribute that is no base64', { xattrs: { 'user.a': '!' } }, 'files[0].xattrs'],
  ])('a file with %s', async (_, change, message) => {
    const told = await refusal(await forge(first(change)));
    expect(told).toMatch('format-invalid: manifest of x.icepkg: ');
    expect(told).toContain(message);
  });

  test.each<[string, readonly object[], string]>([
    ['a path twice', [{ type: 'directory', path: 'etc/a', mode: 0o755 }], 'is listed twice'],
    [
      'a file below a file',
      [{ type: 'directory', path: 'etc/a/b', mode: 0o755 }],
      'lies below etc/a, which is a file',
    ],
    [
      'a file below a symlink',
      [
        { type: 'symlink', path: 'lib', target: '/etc' },
        { type: 'directory', path: 'lib/x', mode: 0o755 },
      ],
      'lies below lib, which is a symlink',
    ],
    ['a hard link to nothing', [{ type: 'hardlink', path: 'x', target: 'etc/none' }], 'links to etc/none'],
    [
      'a hard link out',
      [{ type: 'hardlink', path: 'x', target: '../../etc/shadow' }],
      'target: expected a relative path',
    ],
    ['a hard link to a later file', [{ type: 'hardlink', path: 'a', target: 'etc/a' }], 'links to etc/a'],
    ['a symlink to nothing', [{ type: 'symlink', path: 'x', target: '' }], 'target'],
    ['a symlink with a NUL', [{ type: 'symlink', path: 'x', target: 'a\u0000b' }], 'target'],
    ['its own folder', [{ type: 'directory', path: '.icepkg/x', mode: 0o755 }], 'keeps for itself'],
    ['a device without numbers', [{ type: 'block-device', path: 'x', mode: 0o600 }], 'major'],
    [
      'a device with numbers beyond any',
      [{ type: 'block-device', path: 'x', mode: 0o600, major: 4096, minor: 0 }],
      'major',
    ],
    ['a directory with content', [{ type: 'directory', path: 'x', mode: 0o755, size: 1 }], 'size'],
  ])('%s', async (_, entries, message) => {
    const told = await refusal(await forge(also(...entries)));
    expect(told).toMatch('format-invalid: manifest of x.icepkg: ');
    expect(told).toMatch(message);
  });

  test('paths out of order', async () => {
    const told = await refusal(await forge((m) => ({ ...m, files: m.files.toReversed() })));
    expect(told).toMatch('files[1] (etc/a): is out of order after etc/b');
  });

  test.each<[string, object, string]>([
    ['an absent digest', { sha256: undefined }, 'frames[0].sha256'],
    ['a short digest', { sha256: 'ab' }, 'frames[0].sha256: expected 64'],
    ['a gap before it', { offset: 512 }, 'frames[0]: starts at 512 instead of 0'],
    ['no size', { size: 0 }, 'frames[0]: is empty'],
    ['more than a frame may hold', { uncompressedSize: MAX_FRAME_BYTES + 512 }, 'frames[0].uncompressedSize'],
    ['half a block', { uncompressedSize: 700 }, 'frames[0]: is no whole number of 512 byte blocks'],
  ])('a frame with %s', async (_, change, message) => {
    expect(await refusal(await forge(frame(change)))).toContain(message);
  });

  test('a frame larger than the file', async () => {
    expect(await refusal(await forge(frame({ size: 2 ** 40 })))).toMatch(
      /^package-corrupt: x\.icepkg: is cut short: \d+ of \d+ bytes$/,
    );
  });
});

describe('a manifest’s JSON is refused for', () => {
  const edits: readonly (readonly [string, (json: string) => string])[] = [
    ['a key twice', (json) => json.replace('"arch":', '"arch":"x86_64","arch":')],
    ['a key of a file twice', (json) => json.replace('"path":"etc/a"', '"path":"etc/a","path":"etc/a"')],
    [
      'keys out of order',
      (json) => json.replace('{"arch":"noarch",', '{').replace(/\}$/, ',"arch":"noarch"}'),
    ],
    ['white space', (json) => json.replace(',', ', ')],
    ['a newline at the end', (json) => `${json}\n`],
    ['a byte order mark', (json) => `\ufeff${json}`],
    ['another spelling of a number', (json) => json.replace('"format":1', '"format":1.0')],
    ['an exponent', (json) => json.replace('"format":1', '"format":1e0')],
    ['another spelling of a character', (json) => json.replace('"forged"', String.raw`"f\u006frged"`)],
    ['a prototype', (json) => json.replace('{"arch"', '{"__proto__":{"format":1},"arch"')],
    ['two documents', (json) => json + json],
    ['no end', (json) => json.slice(0, -1)],
    ['nothing', () => ''],
    ['null', () => 'null'],
    ['a list', () => '[]'],
    ['a fraction', (json) => json.replace('"format":1', '"format":1.5')],
    ['a number beyond 53 bits', (json) => json.replace('"format":1', '"format":9007199254740993')],
    ['nesting without end', () => '['.repeat(5_000_000)],
    ['nesting that ends', () => '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000)],
  ];
  test.each(edits)('%s', async (_, edit) => {
    const bad = await forge(undefined, {
      bytes: (it) => {
        const edited = edit(text(it));
        expect(edited).not.toBe(text(it));
        return Buffer.from(edited);
      },
    });
    expect(await refusal(bad)).toMatch(/^format-invalid: manifest of x\.icepkg: /);
  });

  test('bytes that are no UTF-8', async () => {
    const bad = await forge(undefined, {
      bytes: (it) => Buffer.concat([it.subarray(0, 12), Buffer.from([0xff]), it.subarray(12)]),
    });
    expect(await refusal(bad)).toBe('format-invalid: manifest of x.icepkg: not valid UTF-8');
  });
});

describe('a header is refused for', () => {
  const signature = { keyid: digits, sig: 'b'.repeat(128) };
  test.each<[string, object]>([
    ['an unknown field', { format: 1, signatures: [], more: 1 }],
    ['a short key id', { format: 1, signatures: [{ ...signature, keyid: 'a' }] }],
    ['a short signature', { format: 1, signatures: [{ ...signature, sig: 'b'.repeat(126) }] }],
    ['no list', { format: 1 }],
    ['too many signatures', { format: 1, signatures: Array.from({ length: 1025 }, () => signature) }],
  ])('signatures with %s', async (_, document) => {
    const told = await refusal(await forge(undefined, { signatures: canonicalJson(document) }));
    expect(told).toMatch(/^format-invalid: \.icepkg\/signatures\.json of x\.icepkg: /);
  });

  test.each<[string, (tar: Uint8Array) => Uint8Array]>([
    ['a third entry', (tar) => Buffer.concat([tar, tar.subarray(0, 512)])],
    ['an end of archive', (tar) => Buffer.concat([tar, Buffer.alloc(1024)])],
    ['a missing entry', (tar) => tar.subarray(0, 1024)],
    ['no entries', () => Buffer.alloc(0)],
    ['bytes hidden in the padding', (tar) => Buffer.concat([tar.subarray(0, -1), Buffer.from('x')])],
    ['a time', (tar) => Buffer.concat([tar.subarray(0, 140), Buffer.from('7'), tar.subarray(141)])],
    [
      'a size that is no number',
      (tar) => Buffer.concat([tar.subarray(0, 124), Buffer.from('zzzzzzzzzzz'), tar.subarray(135)]),
    ],
    [
      'a size beyond the frame',
      (tar) => Buffer.concat([tar.subarray(0, 124), Buffer.from('77777777777'), tar.subarray(135)]),
    ],
    [
      'the documents exchanged',
      (tar) => {
        const end = tar.length - 1024;
        return Buffer.concat([tar.subarray(end), tar.subarray(0, end)]);
      },
    ],
  ])('%s', async (_, header) => {
    expect(await refusal(await forge(undefined, { header }))).toMatch(
      /^(?:package-corrupt|format-invalid): /,
    );
  });
});

/** Packages whose manifest and content are each well formed but do not say the same. */
import { expect, test } from 'vitest';
import { CODECS } from '#schema/container/codec';
import type { FileEntry } from '#schema/manifest';
import { END_OF_ARCHIVE, tarHeader } from '#schema/container/tar';
import { digest, forge, refusal, type Forgery, type Loose } from './support.ts';

const changeA =
  (change: Partial<FileEntry>) =>
  (manifest: Loose): object => ({
    ...manifest,
    files: manifest.files.map((entry) => (entry.path === 'etc/a' ? { ...entry, ...change } : entry)),
  });
const without =
  (path: string) =>
  (manifest: Loose): object => {
    const files = manifest.files.filter((entry) => entry.path !== path);
    const installedSize = files.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0);
    return { ...manifest, files, installedSize };
  };
const link = (target: string): FileEntry => ({ type: 'symlink', path: 'etc/link', target });
/** Puts an entry in front of the archive and moves the declared places along. */
const inFront = (entry: FileEntry): [(manifest: Loose) => object, Forgery] => [
  (manifest) => ({
    ...manifest,
    files: manifest.files.map((one) =>
      one.type === 'file' ? { ...one, offset: (one.offset ?? 0) + 512 } : one,
    ),
  }),
  { tar: (tar) => Buffer.concat([tarHeader(entry, 0), tar]) },
];

const disagreements: readonly (readonly [string, (manifest: Loose) => object, Forgery, string])[] = [
  ['a file that is not listed, last', without('etc/b'), {}, 'the archive holds more than the manifest lists'],
  ['a file that is not listed, first', without('etc/a'), {}, 'disagree on etc/b'],
  [
    'an entry that is not listed, in front',
    ...inFront({ type: 'fifo', path: 'aa', mode: 0o600 }),
    'disagree on etc/a',
  ],
  [
    'a listed directory that is not there',
    (m) => ({ ...m, files: [{ type: 'directory', path: 'etc', mode: 0o755 }, ...m.files] }),
    {},
    'disagree on etc',
  ],
  ['another mode', changeA({ mode: 0o4755 }), {}, 'disagree on etc/a'],
  ['another owner', changeA({ uid: 1 }), {}, 'disagree on etc/a'],
  ['another owner’s name', changeA({ user: 'root' }), {}, 'disagree on etc/a'],
  ['an attribute', changeA({ xattrs: { 'user.a': 'aGk=' } }), {}, 'disagree on etc/a'],
  ['another name', changeA({ path: 'etc/A' }), {}, 'disagree on etc/A'],
  ['another time', (m) => ({ ...m, buildTime: 7 }), {}, 'disagree on etc/a'],
  [
    'another digest',
    changeA({ sha256: digest(Buffer.from('other')) }),
    {},
    'the content of etc/a does not have its sha256',
  ],
  [
    'another size',
    (m) => ({ ...(changeA({ size: 11 })(m) as Loose), installedSize: m.installedSize - 1 }),
    {},
    'disagree on etc/a',
  ],
  [
    'another link target',
    (m) => ({ ...m, files: [...m.files, link('/etc/shadow')] }),
    {
      tar: (tar) =>
        Buffer.concat([
          tar.subarray(0, -END_OF_ARCHIVE),
          tarHeader(link('a'), 0),
          Buffer.alloc(END_OF_ARCHIVE),
        ]),
    },
    'disagree on etc/link',
  ],
  [
    'a directory where a link is listed',
    (m) => ({ ...m, files: [...m.files, link('a')] }),
    {
      tar: (tar) =>
        Buffer.concat([
          tar.subarray(0, -END_OF_ARCHIVE),
          tarHeader({ type: 'directory', path: 'etc/link', mode: 0o777 }, 0),
          Buffer.alloc(END_OF_ARCHIVE),
        ]),
    },
    'disagree on etc/link',
  ],
  [
    'bytes hidden behind a file',
    (m) => m,
    { tar: (tar) => Buffer.concat([tar.subarray(0, 1000), Buffer.from('hidden'), tar.subarray(1006)]) },
    'there are bytes hidden behind etc/a',
  ],
  [
    'a header that says the same in other words',
    (m) => m,
    { tar: (tar) => Buffer.concat([tar.subarray(0, 257), Buffer.from('ustar  \u0000'), tar.subarray(265)]) },
    'disagree on etc/a',
  ],
  [
    'a longer end',
    (m) => m,
    { tar: (tar) => Buffer.concat([tar, Buffer.alloc(512)]) },
    'holds more than the manifest lists',
  ],
  [
    'bytes behind the end',
    (m) => m,
    { tar: (tar) => Buffer.concat([tar.subarray(0, -1), Buffer.from('x')]) },
    'holds more than the manifest lists',
  ],
  ['two names for the content of one', changeA({ offset: 1536 }), {}, 'overlaps'],
];

test.each(CODECS)('every disagreement in a %s package is found and named', async (codec) => {
  for (const [name, spoil, forgery, message] of disagreements) {
    const told = await refusal(await forge(spoil, { ...forgery, codec }));
    expect(told, name).toMatch(/^(?:package-corrupt|format-invalid): (?:manifest of )?x\.icepkg: /);
    expect(told, name).toContain(message);
  }
});

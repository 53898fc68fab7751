/** Properties of the container: what is written is read, and no change of any byte goes unnoticed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, parseCanonicalJson } from '#schema/canonical-json';
import { CODECS, openDecoder, openEncoder } from '#schema/container/codec';
import { readHeader } from '#schema/container/read';
import { END_OF_ARCHIVE } from '#schema/container/tar';
import type { PackageEntry } from '#schema/container/write';
import { IcepkgError } from '#schema/error';
import { comparePaths, isSafePath } from '#schema/path';
import { digest, goodPackage, refusal, verify } from './support.ts';

const name = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 12, unit: 'binary' }),
    fc.string({
      minLength: 1,
      maxLength: 120,
      unit: fc.constantFrom('a', 'é', '日', '🙂', '-', '.', ' ', '$'),
    }),
  )
  .filter((text) => !text.includes('/') && isSafePath(text) && text !== '.icepkg');
const mode = fc.integer({ min: 0, max: 0o7777 });
const owner = fc.record(
  {
    uid: fc.integer({ min: 0, max: 0xffff_fffe }),
    gid: fc.integer({ min: 0, max: 0xffff_fffe }),
    user: fc.constantFrom('root', 'mail', '_x-1'),
  },
  { requiredKeys: [] },
);
const xattrs = fc.dictionary(
  fc.constantFrom('user.a', 'user.b-c', 'security.capability'),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64')),
);
const content = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.integer({ min: 0, max: 2_500_000 }).map((size) => Buffer.alloc(size, 'icepkg ')),
);

type Draft = {
  readonly kind: string;
  readonly mode: number;
  readonly owner: object;
  readonly content: Uint8Array;
  readonly xattrs: Record<string, string>;
  readonly target: string;
};
const draft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.constantFrom(
    'file',
    'file',
    'file',
    'directory',
    'symlink',
    'hardlink',
    'fifo',
    'character-device',
  ),
  mode,
  owner,
  content,
  xattrs,
  target: name.map((text) => `../${text}/${'x'.repeat(text.length * 3)}`),
});

/** A hard link needs a file before it. */
function entryOf(path: string, draft: Draft, file: string | undefined): PackageEntry {
  const { kind, mode, owner, content, target } = draft;
  const common = { path, mode, ...owner };
  const xattrs = Object.keys(draft.xattrs).length === 0 ? {} : { xattrs: draft.xattrs };
  if (kind === 'directory') return { type: kind, ...common, ...xattrs };
  if (kind === 'symlink') return { type: kind, path, target };
  if (kind === 'hardlink' && file !== undefined) return { type: kind, path, target: file };
  if (kind === 'fifo') return { type: kind, ...common };
  if (kind === 'character-device') return { type: kind, ...common, major: mode % 4096, minor: mode };
  return { type: 'file', ...common, ...xattrs, content };
}

function entriesOf(drafts: readonly (readonly [string, Draft])[]): PackageEntry[] {
  const entries: PackageEntry[] = [];
  for (const [path, draft] of drafts.toSorted(([a], [b]) => comparePaths(a, b)))
    entries.push(entryOf(path, draft, entries.findLast(({ type }) => type === 'file')?.path));
  return entries;
}

const tree = fc
  .uniqueArray(fc.tuple(fc.array(name, { minLength: 1, maxLength: 4 }), draft), {
    maxLength: 12,
    selector: ([parts]) => parts.join('/'),
  })
  .map((list) => list.map(([parts, one]): [string, Draft] => [`d${parts.length}/${parts.join('/')}`, one]))
  // A path below another would need that one to be a directory.
  .map((list) => list.filter(([path]) => !list.some(([other]) => path.startsWith(`${other}/`))));

test('what is written is read back, verifies whole, and is written the same again', () =>
  fc.assert(
    fc.asyncProperty(tree, fc.constantFrom(...CODECS), async (drafts, codec) => {
      const entries = entriesOf(drafts);
      const bytes = await goodPackage({ codec, entries });
      expect((await goodPackage({ codec, entries: entries.toReversed() })).equals(bytes)).toBe(true);
      const { header } = await verify(bytes);
      const { manifest } = header;
      expect(manifest.files.map(({ path }) => path)).toEqual(entries.map(({ path }) => path));
      const decoder = openDecoder(codec);
      const inside = Buffer.concat(
        manifest.frames.map((frame) => {
          const start = header.headerSize + frame.offset;
          return Buffer.from(
            decoder.decode(bytes.subarray(start, start + frame.size), frame.uncompressedSize),
          );
        }),
      );
      expect(inside.subarray(-END_OF_ARCHIVE).every((byte) => byte === 0)).toBe(true);
      let frameStart = 0;
      const starts = manifest.frames.map(
        (frame) => (frameStart += frame.uncompressedSize) - frame.uncompressedSize,
      );
      for (const [index, listed] of manifest.files.entries()) {
        const given = entries[index];
        if (given?.type !== 'file') {
          expect(listed).toEqual(given);
          continue;
        }
        const { content: expected, ...rest } = given;
        expect(listed).toMatchObject(rest);
        if (listed.type !== 'file' || !(expected instanceof Uint8Array)) throw new Error('no file');
        expect({ size: listed.size, sha256: listed.sha256 }).toEqual({
          size: expected.length,
          sha256: digest(expected),
        });
        if (listed.size === 0) continue;
        const start = (starts[(listed.frame ?? 0) - 1] ?? Number.NaN) + (listed.offset ?? Number.NaN);
        expect(digest(inside.subarray(start, start + listed.size))).toBe(listed.sha256);
      }
    }),
    { numRuns: 40 },
  ));

const small = (['zstd', 'xz'] as const).map((codec) =>
  goodPackage({
    codec,
    entries: [
      { type: 'directory', path: 'a', mode: 0o755 },
      { type: 'file', path: 'a/b', mode: 0o644, content: Buffer.from('some text') },
      { type: 'symlink', path: 'a/c', target: 'b' },
    ],
  }),
);

const edit = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: fc.nat(),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
  }),
  fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(), length: fc.integer({ min: 1, max: 600 }) }),
);

test('bytes changed at random are refused with an IcepkgError, or mean the same', async () => {
  for (const good of await Promise.all(small)) {
    const original = (await verify(good)).header;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        let bytes = Buffer.from(good);
        for (const one of edits) {
          const at = one.at % (bytes.length + 1);
          const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
          if (one.kind === 'set')
            bytes = Buffer.concat([before, Buffer.from([one.value]), after.subarray(1)]);
          else if (one.kind === 'cut') bytes = Buffer.concat([before, after.subarray(one.length)]);
          else if (one.kind === 'insert') bytes = Buffer.concat([before, one.bytes, after]);
          else bytes = Buffer.concat([before, after.subarray(0, one.length), after]);
        }
        const told = await refusal(bytes);
        if (told !== 'accepted') return;
        const { header } = await verify(bytes);
        expect(header.manifestSha256).toBe(original.manifestSha256);
        expect(header.signatures).toEqual(original.signatures);
      }),
      { numRuns: 400 },
    );
  }
});

test('random manifests in a good wrapping are refused with an IcepkgError', async () => {
  const encoder = openEncoder('zstd', 1);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
      expect(await refusal(await encoder.encode(bytes))).toMatch(/^(?:package-corrupt|format-invalid): /);
    }),
    { numRuns: 100 },
  );
});

test('canonical JSON has one spelling: every value comes back, and only from its own bytes', () => {
  const value = fc.letrec<{ any: unknown; leaf: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      tie('leaf'),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(
        fc.string({ unit: 'binary' }).filter((key) => key !== '__proto__'),
        tie('any'),
        { maxKeys: 4 },
      ),
    ),
    leaf: fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger().map((number) => number + 0),
      fc.string({ unit: 'binary' }),
    ),
  })).any;
  fc.assert(
    fc.property(value, (it) => {
      const bytes = canonicalJson(it);
      expect(parseCanonicalJson(bytes, 'it')).toEqual(JSON.parse(JSON.stringify(it)));
      expect(() => parseCanonicalJson(Buffer.concat([bytes, Buffer.from(' ')]), 'it')).toThrow(IcepkgError);
    }),
  );
});

test('a header is read the same from a file, from bytes, and from the header frame alone', async () => {
  for (const good of await Promise.all(small)) {
    const whole = readHeader(good, 'whole');
    const alone = readHeader(whole.header, 'alone');
    expect(alone).toEqual(whole);
    expect((await verify(good)).header).toEqual(whole);
  }
});

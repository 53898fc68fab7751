/**
 * Packages for tests of the format: good ones by the packer, bad ones put together by hand.
 *
 *   const bytes = await goodPackage({ codec: 'xz' });
 *   const bad = await forge((manifest) => ({ ...manifest, installedSize: 7 }));
 *   expect(refusal(bad)).toMatch('installedSize');
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '#schema/canonical-json';
import { openEncoder, type Codec } from '#schema/container/codec';
import { MANIFEST_PATH, SIGNATURES_PATH } from '#schema/container/read';
import { END_OF_ARCHIVE, metadataHeader, padding, tarHeader } from '#schema/container/tar';
import { verifyPackage, type VerifiedPackage } from '#schema/container/verify';
import { writePackage, type PackageEntry } from '#schema/container/write';
import { IcepkgError } from '#schema/error';
import type { FileEntry, Frame, Manifest } from '#schema/manifest';
import { comparePaths } from '#schema/path';

export const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Runs `use` with a folder that is gone afterwards. */
export async function withFolder<T>(use: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-format-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface GoodOptions {
  readonly codec?: Codec;
  readonly entries?: readonly PackageEntry[];
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(size: number, seed: string): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 0; i * 64 < size; i++) parts.push(createHash('sha512').update(`${seed} ${i}`).digest());
  return Buffer.concat(parts).subarray(0, size);
}

export const file = (path: string, content: Uint8Array | string, mode = 0o644): PackageEntry => ({
  type: 'file',
  path,
  mode,
  content: typeof content === 'string' ? Buffer.from(content) : content,
});

/** Every type of entry, and content over several frames. */
export const ENTRIES: readonly PackageEntry[] = [
  { type: 'directory', path: 'dev', mode: 0o755 },
  { type: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
  { type: 'block-device', path: 'dev/loop0', mode: 0o660, major: 7, minor: 0, gid: 6, group: 'disk' },
  { type: 'fifo', path: 'dev/pipe', mode: 0o600 },
  { type: 'directory', path: 'usr', mode: 0o755 },
  file('usr/empty', ''),
  file('usr/large', noise(3_000_000, 'large')),
  file('usr/program', noise(70_000, 'program'), 0o4755),
  { type: 'hardlink', path: 'usr/program-too', target: 'usr/program' },
  { type: 'symlink', path: 'usr/sym', target: '../usr/program' },
  { ...file('usr/with-attributes', 'text'), xattrs: { 'user.note': 'aGk=' } } as PackageEntry,
];

/** The bytes of a good package. */
export function goodPackage({ codec = 'zstd', entries = ENTRIES }: GoodOptions = {}): Promise<Buffer> {
  return withFolder(async (folder) => {
    const output = join(folder, 'good.icepkg');
    const metadata = { name: 'good', version: '1.0.0-r0', arch: 'noarch', buildTime: 5 } as const;
    await writePackage({ metadata, entries, output, codec, level: 1 });
    return readFileSync(output);
  });
}

/** A manifest as it comes out of JSON, to be spoiled. */
export type Loose = Omit<Manifest, 'files' | 'frames'> & {
  readonly files: readonly FileEntry[];
  readonly frames: readonly Frame[];
};

export interface Forgery {
  readonly codec?: Codec;
  /** Entries and contents that the tar really holds. */
  readonly holds?: Readonly<Record<string, string>>;
  /** The tar inside, when it is not simply what was declared. */
  readonly tar?: (tar: Uint8Array) => Uint8Array;
  /** Spoils the manifest's bytes. */
  readonly bytes?: (manifest: Uint8Array) => Uint8Array;
  readonly signatures?: Uint8Array;
  /** Spoils the header's tar. */
  readonly header?: (tar: Uint8Array) => Uint8Array;
}

/** Puts a package of small text files together; `spoil` has the last word on its manifest. */
export async function forge(
  spoil: (manifest: Loose) => object = (it) => it,
  forgery: Forgery = {},
): Promise<Buffer> {
  const encoder = openEncoder(forgery.codec ?? 'zstd', 1);
  const { holds = { 'etc/a': 'content of a', 'etc/b': 'content of b' } } = forgery;
  const parts: Uint8Array[] = [];
  const files: FileEntry[] = [];
  let offset = 0;
  let installedSize = 0;
  for (const path of Object.keys(holds).sort(comparePaths)) {
    const content = Buffer.from(holds[path] ?? '');
    const unplaced = {
      type: 'file',
      path,
      mode: 0o644,
      size: content.length,
      sha256: digest(content),
    } as const;
    const head = tarHeader(unplaced, 0);
    const whole = Buffer.concat([head, content, Buffer.alloc(padding(content.length))]);
    files.push({ ...unplaced, frame: 1, offset: offset + head.length });
    parts.push(whole);
    offset += whole.length;
    installedSize += content.length;
  }
  const tar = Buffer.concat([...parts, Buffer.alloc(END_OF_ARCHIVE)]);
  const inside = forgery.tar?.(tar) ?? tar;
  const frame = await encoder.encode(inside);
  const manifest: Loose = {
    format: 1,
    name: 'forged',
    version: '1.0.0-r0',
    arch: 'noarch',
    installedSize,
    files,
    frames: [{ offset: 0, size: frame.length, uncompressedSize: inside.length, sha256: digest(frame) }],
  };
  const honest = canonicalJson(spoil(manifest));
  const document = forgery.bytes?.(honest) ?? honest;
  const header = headerTar(document, forgery.signatures ?? canonicalJson({ format: 1, signatures: [] }));
  return Buffer.concat([await encoder.encode(forgery.header?.(header) ?? header), frame]);
}

function headerTar(manifest: Uint8Array, signatures: Uint8Array): Uint8Array {
  return Buffer.concat(
    [
      { path: MANIFEST_PATH, bytes: manifest },
      { path: SIGNATURES_PATH, bytes: signatures },
    ].flatMap(({ path, bytes }) => [
      metadataHeader(path, bytes.length),
      bytes,
      Buffer.alloc(padding(bytes.length)),
    ]),
  );
}

/** Reads a package whole, as `icepkg repo add` does. */
export function verify(bytes: Uint8Array): Promise<VerifiedPackage> {
  return withFolder((folder) => {
    const path = join(folder, 'x.icepkg');
    writeFileSync(path, bytes);
    return verifyPackage(path, 'x.icepkg');
  });
}

/** The message with which a package is refused, after its code; anything but an `IcepkgError` is thrown on. */
export async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    await verify(bytes);
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    if (error.hint === undefined) throw new Error('an error without a way out', { cause: error });
    return `${error.code}: ${error.message}`;
  }
  return 'accepted';
}

/**
 * Writes a package: entries in canonical order into frames, frames through the codec, and the header, which lists and
 * signs them, in front. The same entries give the same bytes.
 */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { canonicalJson } from '../canonical-json.ts';
import { sha256 } from '../digest.ts';
import { IcepkgError } from '../error.ts';
import type { PrivateKey } from '../keys.ts';
import { MAX_HEADER_BYTES } from '../limits.ts';
import type { FileEntry, Manifest, RegularFile } from '../manifest.ts';
import { comparePaths } from '../path.ts';
import { signManifest, type PackageSignature } from '../signature.ts';
import { openEncoder, type Codec } from './codec.ts';
import { FrameWriter, writeWhole } from './frame-writer.ts';
import { decodeManifest, MANIFEST_PATH, readHeader, SIGNATURES_PATH, type PackageHeader } from './read.ts';
import { metadataHeader, padding } from './tar.ts';

/** Where a file's bytes come from. */
export type Content = Uint8Array | { readonly file: string };

/** A manifest entry before it is placed; a file brings its content, size and digest come from that. */
export type PackageEntry =
  | Exclude<FileEntry, RegularFile>
  | (Omit<RegularFile, 'size' | 'sha256' | 'frame' | 'offset'> & { readonly content: Content });

/** All of a manifest that does not follow from the entries. */
export type PackageMetadata = Omit<Manifest, 'format' | 'installedSize' | 'files' | 'frames'>;

export interface WritePackageOptions {
  readonly metadata: PackageMetadata;
  /** In any order; sorted here. */
  readonly entries: readonly PackageEntry[];
  /** The file to write; it appears whole or not at all. */
  readonly output: string;
  readonly codec: Codec;
  readonly level?: number;
  /** Each signs; without any the package is unsigned. */
  readonly keys?: readonly PrivateKey[];
}

export interface WrittenPackage {
  readonly header: PackageHeader;
  readonly file: string;
  readonly size: number;
  /** Digest of the whole file. */
  readonly sha256: string;
}

export async function writePackage(options: WritePackageOptions): Promise<WrittenPackage> {
  const { metadata, codec, output } = options;
  const entries = options.entries.toSorted((a, b) => comparePaths(a.path, b.path));
  const encoder = openEncoder(codec, options.level);
  const what = path.basename(output);
  const temporary = path.join(path.dirname(output), `.${what}.${process.pid}.part`);
  const frames = new FrameWriter(encoder, `${temporary}.frames`);
  try {
    const files: FileEntry[] = [];
    let installedSize = 0;
    for (const entry of entries) {
      const placed = await frames.add(entry, metadata.buildTime ?? 0);
      if (placed.type === 'file') installedSize += placed.size;
      files.push(placed);
    }
    const written = await frames.end();
    const manifest: Manifest = { format: 1, ...metadata, installedSize, files, frames: [...written.frames] };
    const manifestBytes = canonicalJson(manifest);
    const checked = decodeManifest(manifestBytes, what);
    const signatures = signaturesOf(manifestBytes, options.keys ?? []);
    const header = await encoder.encode(headerTar(manifestBytes, signatures));
    const whole = assemble(header, written.pieces(), temporary);
    fs.renameSync(temporary, output);
    return {
      header: {
        manifest: checked,
        manifestBytes,
        manifestSha256: sha256(manifestBytes),
        signatures,
        header,
        headerSize: header.length,
        codec,
      },
      file: output,
      ...whole,
    };
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  } finally {
    frames.dispose();
  }
}

/**
 * Writes the package anew with the signatures of `keys` instead of those it has: the same bytes as if they had signed
 * it when it was made. The content is copied as it is, unchecked.
 * @param output the file to write; it appears whole or not at all
 * @throws IcepkgError `package-corrupt` where the header cannot be read
 */
export async function signPackage(
  file: string,
  keys: readonly PrivateKey[],
  output: string,
): Promise<Pick<WrittenPackage, 'size' | 'sha256'>> {
  const { manifestBytes, codec, headerSize } = readHeader(file, path.basename(file));
  const header = await openEncoder(codec).encode(headerTar(manifestBytes, signaturesOf(manifestBytes, keys)));
  const temporary = path.join(path.dirname(output), `.${path.basename(output)}.${process.pid}.part`);
  try {
    const whole = assemble(header, piecesFrom(file, headerSize), temporary);
    fs.renameSync(temporary, output);
    return whole;
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

const PIECE = 1024 * 1024;

function* piecesFrom(file: string, start: number): Generator<Uint8Array> {
  const fd = fs.openSync(file, 'r');
  try {
    const room = Buffer.allocUnsafe(PIECE);
    let at = start;
    for (let count = fs.readSync(fd, room, 0, PIECE, at); count > 0;) {
      yield room.subarray(0, count);
      at += count;
      count = fs.readSync(fd, room, 0, PIECE, at);
    }
  } finally {
    fs.closeSync(fd);
  }
}

const signaturesOf = (manifestBytes: Uint8Array, keys: readonly PrivateKey[]): PackageSignature[] =>
  keys.map((key) => signManifest(manifestBytes, key)).sort((a, b) => comparePaths(a.keyid, b.keyid));

/** The header frame before compression. */
export function headerTar(manifest: Uint8Array, signatures: readonly PackageSignature[]): Uint8Array {
  const document = canonicalJson({ format: 1, signatures });
  const size = manifest.length + document.length;
  if (size > MAX_HEADER_BYTES / 2) {
    throw new IcepkgError(
      'format-invalid',
      `the manifest has ${manifest.length} bytes, too many for one package`,
      {
        hint: 'Split the content into several packages',
      },
    );
  }
  const parts: Uint8Array[] = [];
  for (const [name, bytes] of [
    [MANIFEST_PATH, manifest],
    [SIGNATURES_PATH, document],
  ] as const) {
    parts.push(metadataHeader(name, bytes.length), bytes, Buffer.alloc(padding(bytes.length)));
  }
  return Buffer.concat(parts);
}

/** Writes header and frames into `file` and returns the whole's size and digest. */
function assemble(
  header: Uint8Array,
  pieces: Iterable<Uint8Array>,
  file: string,
): Pick<WrittenPackage, 'size' | 'sha256'> {
  const fd = fs.openSync(file, 'w', 0o644);
  try {
    const digest = crypto.createHash('sha256').update(header);
    writeWhole(fd, header);
    let size = header.length;
    for (const piece of pieces) {
      digest.update(piece);
      writeWhole(fd, piece);
      size += piece.length;
    }
    return { size, sha256: digest.digest('hex') };
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Reads the header of a package, the frame that says everything about the rest. Only as much of the file is
 * read as the header takes; every size is bounded; nothing is believed before it was compared.
 */
import * as fs from 'node:fs';
import { parseCanonicalJson } from '../canonical-json.ts';
import { decode } from '../decode.ts';
import { sha256 } from '../digest.ts';
import { IcepkgError } from '../error.ts';
import { MAX_HEADER_BYTES } from '../limits.ts';
import { ManifestSchema, type Manifest } from '../manifest.ts';
import { SignaturesSchema, type PackageSignature } from '../signature.ts';
import { checkManifest } from './check-manifest.ts';
import { decodeFirstFrame, detectCodec, type Codec, type FirstFrame } from './codec.ts';
import { corrupt, openPackage } from './open.ts';
import { BLOCK, metadataHeader, padding } from './tar.ts';

export const MANIFEST_PATH = '.icepkg/manifest.json';
export const SIGNATURES_PATH = '.icepkg/signatures.json';

export interface PackageHeader {
  readonly manifest: Manifest;
  /** The exact bytes that are signed and pinned. */
  readonly manifestBytes: Uint8Array;
  readonly manifestSha256: string;
  readonly signatures: readonly PackageSignature[];
  /** The header frame as it stands in the file, compressed. */
  readonly header: Uint8Array;
  /** Length of `header`; the data frames start there. */
  readonly headerSize: number;
  readonly codec: Codec;
}

/** An open file; reading moves no file position. */
export interface PackageSource {
  readonly fd: number;
  /** Bytes of the file. */
  readonly size: number;
}

/**
 * Reads and checks the header; data frames are not looked at.
 * @param source an open file, the path of one, or the header frame itself
 * @param what names the package in errors
 * @throws IcepkgError `package-corrupt`, or `format-invalid` where a document in it is wrong
 */
export function readHeader(source: PackageSource | Uint8Array | string, what: string): PackageHeader {
  if (typeof source !== 'string') return readFrom(source, what);
  const fd = openPackage(source);
  try {
    return readFrom({ fd, size: fs.fstatSync(fd).size }, what);
  } finally {
    fs.closeSync(fd);
  }
}

const INPUT_PIECE = 32 * 1024;

function readFrom(source: PackageSource | Uint8Array, what: string): PackageHeader {
  const read = 'fd' in source ? preader(source, what) : slicer(source);
  const start = read(0, INPUT_PIECE);
  const codec = detectCodec(start);
  if (codec === undefined)
    throw corrupt(what, start.length === 0 ? 'the file is empty' : 'not an icepkg package');
  let offset = start.length;
  let first = start;
  const next = (): Uint8Array => {
    const piece = first.length > 0 ? first : read(offset, INPUT_PIECE);
    if (first.length > 0) first = new Uint8Array();
    else offset += piece.length;
    return piece;
  };
  let frame: FirstFrame;
  try {
    frame = decodeFirstFrame(codec, next, MAX_HEADER_BYTES);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'damaged';
    throw corrupt(what, `the header frame cannot be read (${why})`, cause);
  }
  const header =
    frame.consumed <= start.length ? start.slice(0, frame.consumed) : read(0, frame.consumed).slice();
  return { ...parseHeader(frame.bytes, what), header, headerSize: header.length, codec };
}

type Reader = (offset: number, length: number) => Uint8Array;

/** Positioned reads that never ask beyond the file's size. */
function preader(source: PackageSource, what: string): Reader {
  return (offset, length) => {
    const room = Buffer.allocUnsafe(Math.max(0, Math.min(length, source.size - offset)));
    let filled = 0;
    try {
      while (filled < room.length) {
        const count = fs.readSync(source.fd, room, filled, room.length - filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
    } catch (cause) {
      throw new IcepkgError('io-failed', `${what}: cannot be read`, { cause });
    }
    return room.subarray(0, filled);
  };
}

const slicer =
  (bytes: Uint8Array): Reader =>
  (offset, length) =>
    bytes.subarray(offset, offset + length);

type Documents = Pick<PackageHeader, 'manifest' | 'manifestBytes' | 'manifestSha256' | 'signatures'>;

/** Takes the header frame's two documents out of their tar entries. */
function parseHeader(bytes: Uint8Array, what: string): Documents {
  const manifestBytes = takeEntry(bytes, MANIFEST_PATH, what);
  const manifestEnd = BLOCK + manifestBytes.length + padding(manifestBytes.length);
  const signatureBytes = takeEntry(bytes.subarray(manifestEnd), SIGNATURES_PATH, what);
  const end = manifestEnd + BLOCK + signatureBytes.length + padding(signatureBytes.length);
  if (end !== bytes.length) throw corrupt(what, 'the header frame holds more than manifest and signatures');
  const manifest = decodeManifest(manifestBytes, what);
  const document = parseCanonicalJson(signatureBytes, `${SIGNATURES_PATH} of ${what}`);
  const { signatures } = decode(SignaturesSchema, document, `${SIGNATURES_PATH} of ${what}`);
  const copy = Buffer.from(manifestBytes);
  return { manifest, manifestBytes: copy, manifestSha256: sha256(copy), signatures };
}

/** Decodes and checks a manifest from its exact bytes. @param what names the package in errors */
export function decodeManifest(bytes: Uint8Array, what: string): Manifest {
  const where = `manifest of ${what}`;
  const manifest: Manifest = decode(ManifestSchema, parseCanonicalJson(bytes, where), where);
  checkManifest(manifest, what);
  return manifest;
}

/** Returns the content of the entry that must stand at the start of `bytes`. */
function takeEntry(bytes: Uint8Array, path: string, what: string): Uint8Array {
  const block = Buffer.from(bytes.subarray(0, BLOCK));
  const size = Number.parseInt(block.toString('latin1', 124, 135), 8);
  const fits = Number.isSafeInteger(size) && size >= 0 && BLOCK + size + padding(size) <= bytes.length;
  if (block.length < BLOCK || !fits || Buffer.compare(block, metadataHeader(path, size)) !== 0) {
    throw corrupt(what, `the header frame does not hold ${path} where it belongs`);
  }
  const fill = bytes.subarray(BLOCK + size, BLOCK + size + padding(size));
  if (fill.some((byte) => byte !== 0)) throw corrupt(what, `there are bytes hidden behind ${path}`);
  return bytes.subarray(BLOCK, BLOCK + size);
}

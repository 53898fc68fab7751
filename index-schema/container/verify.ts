/**
 * Checks a whole package against its manifest: every frame's digest, every byte of the tar inside and every
 * file's digest. What passes is exactly what a packer writes from that manifest.
 */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { sha256 } from '../digest.ts';
import type { Frame, Manifest, RegularFile } from '../manifest.ts';
import { openDecoder, type Decoder } from './codec.ts';
import { corrupt, openPackage } from './open.ts';
import { readHeader, type PackageHeader } from './read.ts';
import { END_OF_ARCHIVE, padding, tarHeader } from './tar.ts';

export interface VerifiedPackage {
  readonly header: PackageHeader;
  readonly size: number;
  /** Digest of the whole file. */
  readonly sha256: string;
}

/**
 * Reads the file once, a frame at a time. Signatures are reported, not judged: whom to trust is the caller's.
 * @param what names the package in errors; the file's path by default
 * @throws IcepkgError `package-corrupt` or `format-invalid`
 */
export function verifyPackage(file: string, what: string = file): VerifiedPackage {
  const fd = openPackage(file);
  try {
    const { size } = fs.fstatSync(fd);
    const header = readHeader({ fd, size }, what);
    checkPackageSize(header, size, what);
    const digest = crypto.createHash('sha256').update(header.header);
    const frames = new FrameReader({ fd, header, what, onBytes: (bytes) => void digest.update(bytes) });
    verifyContent(header.manifest, frames, what);
    return { header, size, sha256: digest.digest('hex') };
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Reads the header of a file that has the size its header says; contents are not looked at.
 * @throws IcepkgError `package-corrupt` or `format-invalid`
 */
export function readWholeHeader(file: string): { readonly header: PackageHeader; readonly size: number } {
  const fd = openPackage(file);
  try {
    const { size } = fs.fstatSync(fd);
    const header = readHeader({ fd, size }, file);
    checkPackageSize(header, size, file);
    return { header, size };
  } finally {
    fs.closeSync(fd);
  }
}

/** @throws IcepkgError `package-corrupt` where a file of this header cannot have `size` bytes */
export function checkPackageSize({ manifest, headerSize }: PackageHeader, size: number, what: string): void {
  const expected = manifest.frames.reduce((sum, frame) => sum + frame.size, headerSize);
  if (size < expected) throw corrupt(what, `is cut short: ${size} of ${expected} bytes`);
  if (size > expected) throw corrupt(what, `${size - expected} bytes follow the last frame`);
}

/**
 * Reads and decodes one data frame, checking its digest before anything is decompressed.
 * @param frame a line of the manifest's `frames`
 */
export function readFrame(source: FrameSource, frame: Frame): Uint8Array {
  const { fd, headerSize, decoder, what } = source;
  const bytes = Buffer.allocUnsafe(frame.size);
  let filled = 0;
  while (filled < bytes.length) {
    const count = fs.readSync(fd, bytes, filled, bytes.length - filled, headerSize + frame.offset + filled);
    if (count === 0) throw corrupt(what, `is cut short in the frame at ${frame.offset}`);
    filled += count;
  }
  if (sha256(bytes) !== frame.sha256)
    throw corrupt(what, `the frame at ${frame.offset} is damaged: its sha256 differs`);
  source.onBytes?.(bytes);
  try {
    return decoder.decode(bytes, frame.uncompressedSize);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'damaged';
    throw corrupt(what, `the frame at ${frame.offset} cannot be decoded (${why})`, cause);
  }
}

export interface FrameSource {
  readonly fd: number;
  readonly headerSize: number;
  readonly decoder: Decoder;
  /** Names the package in errors. */
  readonly what: string;
  /** Sees the compressed bytes of each frame. */
  readonly onBytes?: (bytes: Uint8Array) => void;
}

/** Hands out the uncompressed bytes in order; holds one frame. */
class FrameReader {
  readonly #source: FrameSource;
  readonly #frames: readonly Frame[];
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  /** Number of the frame in `#bytes`, 0 before the first. */
  #number = 0;

  constructor(options: Omit<FrameSource, 'decoder' | 'headerSize'> & { readonly header: PackageHeader }) {
    const { header, ...rest } = options;
    this.#source = { ...rest, headerSize: header.headerSize, decoder: openDecoder(header.codec) };
    this.#frames = header.manifest.frames;
  }

  /** The place of the next byte, as the manifest gives places. */
  place(): { readonly frame: number; readonly offset: number } {
    this.#fill();
    return { frame: this.#number, offset: this.#at };
  }

  /** Up to `length` of the next bytes; empty at the end. */
  take(length: number): Uint8Array {
    this.#fill();
    const piece = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += piece.length;
    return piece;
  }

  /** True where the next bytes are these. */
  matches(expected: Uint8Array): boolean {
    for (let done = 0; done < expected.length;) {
      const piece = this.take(expected.length - done);
      if (piece.length === 0) return false;
      if (Buffer.compare(piece, expected.subarray(done, done + piece.length)) !== 0) return false;
      done += piece.length;
    }
    return true;
  }

  #fill(): void {
    const frame = this.#frames[this.#number];
    if (this.#at < this.#bytes.length || frame === undefined) return;
    this.#bytes = readFrame(this.#source, frame);
    this.#at = 0;
    this.#number++;
  }
}

function verifyContent(manifest: Manifest, frames: FrameReader, what: string): void {
  const time = manifest.buildTime ?? 0;
  for (const entry of manifest.files) {
    if (!frames.matches(tarHeader(entry, time))) {
      throw corrupt(
        what,
        `manifest and content disagree on ${entry.path}: the archive holds something else there`,
      );
    }
    if (entry.type === 'file' && entry.size > 0) verifyFile(entry, frames, what);
  }
  if (!frames.matches(Buffer.alloc(END_OF_ARCHIVE)) || frames.take(1).length > 0) {
    throw corrupt(what, 'manifest and content disagree: the archive holds more than the manifest lists');
  }
}

function verifyFile(file: RegularFile, frames: FrameReader, what: string): void {
  const place = frames.place();
  if (place.frame !== file.frame || place.offset !== file.offset) {
    throw corrupt(what, `manifest and content disagree on the place of ${file.path}`);
  }
  const hash = crypto.createHash('sha256');
  for (let left = file.size; left > 0;) {
    const piece = frames.take(left);
    if (piece.length === 0) throw corrupt(what, `the content of ${file.path} is cut short`);
    hash.update(piece);
    left -= piece.length;
  }
  if (hash.digest('hex') !== file.sha256)
    throw corrupt(what, `the content of ${file.path} does not have its sha256`);
  if (!frames.matches(Buffer.alloc(padding(file.size)))) {
    throw corrupt(what, `there are bytes hidden behind ${file.path}`);
  }
}

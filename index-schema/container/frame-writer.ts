/** Cuts tar entries into frames and compresses them, a few at a time; large results wait on disk, not in memory. */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { sha256 } from '../digest.ts';
import { IcepkgError, isErrno } from '../error.ts';
import type { FileEntry, Frame, RegularFile } from '../manifest.ts';
import type { Encoder } from './codec.ts';
import { END_OF_ARCHIVE, padding, tarHeader } from './tar.ts';
import type { Content, PackageEntry } from './write.ts';

/** Uncompressed bytes at which a frame is cut. */
const FRAME_SIZE = 2 * 1024 * 1024;
/** Frames that are compressed at the same time. */
const IN_FLIGHT = 4;
/** Compressed bytes that are kept in memory before they go to a temporary file. */
const MEMORY = 16 * 1024 * 1024;

export class FrameWriter {
  readonly #encoder: Encoder;
  readonly #spill: string;
  readonly #frames: Frame[] = [];
  readonly #pending: { readonly bytes: Promise<Uint8Array>; readonly uncompressedSize: number }[] = [];
  #kept: Uint8Array[] = [];
  #keptSize = 0;
  #fd: number | undefined;
  #offset = 0;
  /** The frame being filled. */
  #parts: Uint8Array[] = [];
  #size = 0;
  /** Number of the frame being filled. */
  #number = 1;

  /** @param spill a path for a temporary file, removed by `dispose` */
  constructor(encoder: Encoder, spill: string) {
    this.#encoder = encoder;
    this.#spill = spill;
  }

  /** Appends an entry and returns its line in the manifest. */
  async add(entry: PackageEntry, time: number): Promise<FileEntry> {
    if (entry.type !== 'file') {
      const header = tarHeader(entry, time);
      await this.#room(header.length);
      this.#push(header);
      return entry;
    }
    const { content, ...rest } = entry;
    const source = openContent(content);
    try {
      const unplaced = { ...rest, size: source.size, sha256: '' };
      const header = tarHeader(unplaced, time);
      const whole = header.length + source.size + padding(source.size);
      await this.#room(whole);
      this.#push(header);
      const place = source.size === 0 ? {} : { frame: this.#number, offset: this.#size };
      const placed: RegularFile = { ...unplaced, sha256: await this.#copy(source), ...place };
      if (whole > FRAME_SIZE) await this.#cut();
      return placed;
    } finally {
      source.close();
    }
  }

  /** Ends the archive and waits for every frame. */
  async end(): Promise<WrittenFrames> {
    this.#push(Buffer.alloc(END_OF_ARCHIVE));
    await this.#cut();
    while (this.#pending.length > 0) await this.#settle();
    const fd = this.#fd;
    const kept = this.#kept;
    return { frames: this.#frames, pieces: () => (fd === undefined ? kept : readPieces(fd)) };
  }

  /** Closes and removes what was spilled; the pieces are gone then. */
  dispose(): void {
    if (this.#fd === undefined) return;
    fs.closeSync(this.#fd);
    fs.rmSync(this.#spill, { force: true });
  }

  /** Copies a content and its padding, cutting where it is larger than a frame. Returns its digest. */
  async #copy(source: Source): Promise<string> {
    const hash = crypto.createHash('sha256');
    let left = source.size;
    while (left > 0) {
      if (this.#size >= FRAME_SIZE) await this.#cut();
      const piece = source.read(Math.min(left, FRAME_SIZE - this.#size));
      hash.update(piece);
      this.#push(piece);
      left -= piece.length;
    }
    this.#push(Buffer.alloc(padding(source.size)));
    source.check();
    return hash.digest('hex');
  }

  /** Starts a new frame where the next entry would overfill this one. */
  async #room(size: number): Promise<void> {
    if (this.#size > 0 && this.#size + size > FRAME_SIZE) await this.#cut();
  }

  #push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.#size += bytes.length;
  }

  async #cut(): Promise<void> {
    if (this.#size === 0) return;
    const bytes = Buffer.concat(this.#parts, this.#size);
    if (this.#pending.length >= IN_FLIGHT) await this.#settle();
    this.#pending.push({ bytes: this.#encoder.encode(bytes), uncompressedSize: bytes.length });
    this.#parts = [];
    this.#size = 0;
    this.#number++;
  }

  /** Takes the oldest frame's result. */
  async #settle(): Promise<void> {
    const oldest = this.#pending.shift();
    if (oldest === undefined) return;
    const bytes = await oldest.bytes;
    const { uncompressedSize } = oldest;
    this.#frames.push({ offset: this.#offset, size: bytes.length, uncompressedSize, sha256: sha256(bytes) });
    this.#offset += bytes.length;
    this.#kept.push(bytes);
    this.#keptSize += bytes.length;
    if (this.#keptSize <= MEMORY && this.#fd === undefined) return;
    this.#fd ??= fs.openSync(this.#spill, 'wx+', 0o600);
    for (const piece of this.#kept) writeWhole(this.#fd, piece);
    this.#kept = [];
  }
}

/** The compressed frames in their order, in memory or in a file. */
export interface WrittenFrames {
  readonly frames: readonly Frame[];
  /** The compressed bytes in order; a piece is valid until the next is taken. */
  readonly pieces: () => Iterable<Uint8Array>;
}

function* readPieces(fd: number): Generator<Uint8Array> {
  const room = Buffer.allocUnsafe(1024 * 1024);
  for (let at = 0; ;) {
    const count = fs.readSync(fd, room, 0, room.length, at);
    if (count === 0) return;
    yield room.subarray(0, count);
    at += count;
  }
}

export function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done);
}

interface Source {
  readonly size: number;
  /** The next bytes, at least one and at most `length`. */
  read(length: number): Uint8Array;
  /** Refuses a file that grew while it was read. */
  check(): void;
  close(): void;
}

function openContent(content: Content): Source {
  if (content instanceof Uint8Array) {
    let offset = 0;
    return {
      size: content.length,
      read: (length) => content.subarray(offset, (offset += length)),
      check: () => undefined,
      close: () => undefined,
    };
  }
  const { file } = content;
  const fd = openFile(file);
  const { size } = fs.fstatSync(fd);
  const changed = (): never => {
    throw new IcepkgError('io-failed', `${file}: changed while it was packed`, {
      hint: 'Pack again once nothing writes there',
    });
  };
  return {
    size,
    read(length) {
      const room = Buffer.allocUnsafe(length);
      const count = fs.readSync(fd, room);
      return count === 0 ? changed() : room.subarray(0, count);
    },
    check() {
      if (fs.fstatSync(fd).size !== size) changed();
    },
    close: () => fs.closeSync(fd),
  };
}

function openFile(file: string): number {
  try {
    return fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  } catch (cause) {
    const why = isErrno(cause, 'ENOENT') ? 'no such file' : 'cannot be read';
    throw new IcepkgError(isErrno(cause, 'ENOENT') ? 'not-found' : 'io-failed', `${file}: ${why}`, { cause });
  }
}

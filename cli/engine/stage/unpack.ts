/** Unpacks jobs one after the other in one thread, in bounded memory: no more than one frame is held. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { detectCodec, openDecoder, type Codec, type Decoder } from '#schema/container/codec';
import { corrupt, openPackage } from '#schema/container/open';
import { sha256 } from '#schema/digest';
import type { Frame } from '#schema/manifest';
import { openDirectories, type Directories } from '../root-fs/directories.ts';
import type { JobFile, StageJob } from './job.ts';
import { setMetadata } from './metadata.ts';

export interface Unpacker {
  /**
   * Makes the files of a job; yields the content of each frame in bytes, once it is written.
   * @throws IcepkgError `package-corrupt` naming package and path
   */
  run(job: StageJob): Generator<number>;
  /** Path to what could not be set there, in words, of all jobs so far. */
  readonly deviations: ReadonlyMap<string, string>;
  close(): void;
}

export function openUnpacker(root: string): Unpacker {
  const directories = openDirectories(root);
  const deviations = new Map<string, string>();
  const frames = openFrames();
  return {
    run: (job) => unpack({ directories, deviations, frames }, job),
    deviations,
    close: () => directories.close(),
  };
}

interface Work {
  readonly directories: Directories;
  readonly deviations: Map<string, string>;
  readonly frames: Frames;
}

function* unpack(work: Work, job: StageJob): Generator<number> {
  const fd = openPackage(job.file);
  try {
    const source = { fd, job, codec: codecOf(fd, job) };
    let current = 0;
    for (const file of job.files) {
      for (; current < file.frame; current++) yield job.frames[current]?.uncompressedSize ?? 0;
      writeFile(work, source, file);
    }
    for (; current < job.frames.length; current++) yield job.frames[current]?.uncompressedSize ?? 0;
  } finally {
    fs.closeSync(fd);
  }
}

interface Source {
  readonly fd: number;
  readonly job: StageJob;
  readonly codec: Codec;
}

function codecOf(fd: number, job: StageJob): Codec {
  const magic = Buffer.alloc(16);
  fs.readSync(fd, magic, 0, magic.length, 0);
  const codec = detectCodec(magic);
  if (codec === undefined) throw corrupt(job.label, `${job.file} is not an icepkg package`);
  return codec;
}

const { constants } = fs;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function writeFile(work: Work, source: Source, file: JobFile): void {
  const target = work.directories.reach(file.target, 0o755);
  const fd = fs.openSync(target, NEW_FILE, 0o600);
  try {
    const digest = writeContent(fd, file, (frame) => work.frames.decode(source, frame));
    if (digest !== file.sha256) {
      throw corrupt(source.job.label, `the content of ${file.path} is not what the manifest says`);
    }
    const deviation = setMetadata(fd, file, file.mode);
    if (deviation !== undefined) work.deviations.set(file.path, deviation);
  } finally {
    fs.closeSync(fd);
  }
}

/** Returns the digest of what was written: of as many bytes as there are, where the frames end early. */
function writeContent(fd: number, file: JobFile, frame: (index: number) => Uint8Array): string {
  if (file.size === 0) return sha256('');
  const first = frame(file.frame).subarray(file.offset, file.offset + file.size);
  writeWhole(fd, first);
  if (first.length === file.size) return sha256(first);
  const digest = createHash('sha256').update(first);
  let left = file.size - first.length;
  for (let index = file.frame + 1; left > 0; index++) {
    const piece = frame(index).subarray(0, left);
    writeWhole(fd, piece);
    digest.update(piece);
    left -= piece.length;
  }
  return digest.digest('hex');
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done, bytes.length - done);
}

interface Frames {
  /** One frame of a job by its index; valid until the next is asked for. */
  decode(source: Source, index: number): Uint8Array;
}

/** No honest codec makes a frame that much larger than its content. */
const MOST_OVERHEAD = 1024 * 1024;

/** Decodes frames on demand, keeping the last; each is compared with its digest before it is decoded. */
function openFrames(): Frames {
  const decoders = new Map<Codec, Decoder>();
  let input: Buffer = Buffer.alloc(0);
  let output: Buffer = Buffer.alloc(0);
  let kept: { readonly frame: Frame; readonly bytes: Uint8Array } | undefined;
  return {
    decode: (source, index) => {
      const { label, frames } = source.job;
      const frame = frames[index];
      if (frame === undefined) throw corrupt(label, 'a file ends behind the last frame');
      if (kept?.frame === frame) return kept.bytes;
      kept = undefined;
      if (frame.size > frame.uncompressedSize + MOST_OVERHEAD)
        throw corrupt(label, `the frame at ${frame.offset} is larger than its content`);
      input = roomFor(input, frame.size);
      output = roomFor(output, frame.uncompressedSize);
      const compressed = input.subarray(0, frame.size);
      readFrame(source, frame, compressed);
      const bytes = decode(decoderFor(decoders, source.codec), { label, frame, compressed, output });
      kept = { frame, bytes };
      return bytes;
    },
  };
}

const roomFor = (room: Buffer, size: number): Buffer =>
  room.length >= size ? room : Buffer.allocUnsafeSlow(size);

function readFrame({ fd, job }: Source, frame: Frame, into: Uint8Array): void {
  for (let done = 0; done < into.length;) {
    const count = fs.readSync(fd, into, done, into.length - done, job.base + frame.offset + done);
    if (count === 0) throw corrupt(job.label, `the file ends in the frame at ${frame.offset}`);
    done += count;
  }
  if (sha256(into) !== frame.sha256)
    throw corrupt(job.label, `the frame at ${frame.offset} is damaged: its sha256 is not the manifest's`);
}

function decoderFor(decoders: Map<Codec, Decoder>, codec: Codec): Decoder {
  const decoder = decoders.get(codec) ?? openDecoder(codec);
  decoders.set(codec, decoder);
  return decoder;
}

interface Decoding {
  readonly label: string;
  readonly frame: Frame;
  readonly compressed: Uint8Array;
  readonly output: Uint8Array;
}

function decode(decoder: Decoder, { label, frame, compressed, output }: Decoding): Uint8Array {
  try {
    return decoder.decode(compressed, frame.uncompressedSize, output);
  } catch (cause) {
    throw corrupt(label, `the frame at ${frame.offset} cannot be decoded`, cause);
  }
}

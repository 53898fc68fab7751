/** One thread's share of the staging: some packages, one after the other, in bounded memory. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { corrupt, openPackage } from '#schema/container/read';
import { detectCodec, openDecoder, type Decoder } from '#schema/container/codec';
import { sha256 } from '#schema/digest';
import type { Frame, RegularFile } from '#schema/manifest';
import type { StagedEntry } from '../file-plan/operations.ts';
import { openDirectories, type Directories } from '../root-fs/directories.ts';
import { stagePath, type Area } from '../transaction/layout.ts';
import { setMetadata } from './metadata.ts';

/** Plain data, so that it can go to another thread. */
export interface SharePackage {
  /** For messages, e.g. `zlib-1.3.1-r0`. */
  readonly label: string;
  readonly file: string;
  readonly headerSize: number;
  readonly frames: readonly Frame[];
  /** Regular files only, in the order of the package. */
  readonly entries: readonly StagedEntry[];
}

export interface Share {
  readonly root: string;
  readonly areas: readonly Area[];
  readonly packages: readonly SharePackage[];
}

/** Stages one package's regular files frame by frame; yields how many bytes of content were decoded so far. */
export function* stageShare(
  share: Share,
  deviations: Map<string, string>,
): Generator<{ readonly label: string; readonly bytes: number }> {
  const directories = openDirectories(share.root);
  try {
    for (const item of share.packages) yield* stagePackage({ ...share, directories, deviations }, item);
  } finally {
    directories.close();
  }
}

interface Work extends Share {
  readonly directories: Directories;
  readonly deviations: Map<string, string>;
}

function* stagePackage(
  work: Work,
  item: SharePackage,
): Generator<{ readonly label: string; readonly bytes: number }> {
  const fd = openPackage(item.file);
  try {
    const reader = openFrames(fd, item);
    let frame = -1;
    for (const staged of item.entries) {
      const { entry } = staged;
      if (entry.type !== 'file') continue;
      if (entry.size > 0 && entry.frame !== undefined && entry.frame !== frame) {
        frame = entry.frame;
        yield { label: item.label, bytes: item.frames[frame - 1]?.uncompressedSize ?? 0 };
      }
      yield* stageFile(work, { item, staged, entry, reader });
    }
  } finally {
    fs.closeSync(fd);
  }
}

interface FileWork {
  readonly item: SharePackage;
  readonly staged: StagedEntry;
  readonly entry: RegularFile;
  readonly reader: (frame: number) => Uint8Array;
}

function* stageFile(
  work: Work,
  { item, staged, entry, reader }: FileWork,
): Generator<{ readonly label: string; readonly bytes: number }> {
  const { constants } = fs;
  const target = work.directories.reach(stagePath(work.areas, staged.path), 0o755);
  const fd = fs.openSync(
    target,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    let frame = entry.frame ?? 0;
    let offset = entry.offset ?? 0;
    let left = entry.size;
    let digest: string | undefined;
    if (left > 0) {
      const first = reader(frame).subarray(offset, offset + left);
      if (first.length === left) {
        digest = sha256(first);
        writeWhole(fd, first);
        left = 0;
      }
    } else {
      digest = sha256(new Uint8Array());
    }
    if (left > 0) {
      const running = createHash('sha256');
      while (left > 0) {
        const piece = reader(frame).subarray(offset, offset + left);
        if (piece.length === 0) throw corrupt(item.label, `${entry.path} ends early`);
        running.update(piece);
        writeWhole(fd, piece);
        left -= piece.length;
        frame += 1;
        offset = 0;
        if (left > 0) yield { label: item.label, bytes: piece.length };
      }
      digest = running.digest('hex');
    }
    if (digest !== entry.sha256) {
      throw corrupt(item.label, `the content of ${entry.path} is not what the manifest says`);
    }
    const deviation = setMetadata(fd, staged, entry.mode);
    if (deviation !== undefined) work.deviations.set(staged.path, deviation);
  } finally {
    fs.closeSync(fd);
  }
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done, bytes.length - done);
}

/** No honest codec makes a frame that much larger than its content. */
const MOST_OVERHEAD = 1024 * 1024;

/** Decodes frames on demand, keeping the last; each is compared with its digest before it is decoded. */
function openFrames(fd: number, item: SharePackage): (frame: number) => Uint8Array {
  const { size } = fs.fstatSync(fd);
  const magic = Buffer.alloc(16);
  fs.readSync(fd, magic, 0, magic.length, 0);
  const codec = detectCodec(magic);
  if (codec === undefined) throw corrupt(item.label, `${item.file} is not an icepkg package`);
  let decoder: Decoder | undefined;
  let input = Buffer.alloc(0);
  let output = Buffer.alloc(0);
  let current = 0;
  let bytes: Uint8Array = output;
  return (number) => {
    if (number === current) return bytes;
    const frame = item.frames[number - 1];
    if (frame === undefined) throw corrupt(item.label, `frame ${number} is not listed`);
    const start = item.headerSize + frame.offset;
    if (start + frame.size > size || frame.size > frame.uncompressedSize + MOST_OVERHEAD)
      throw corrupt(item.label, `frame ${number} does not fit the file`);
    if (input.length < frame.size) input = Buffer.allocUnsafeSlow(frame.size);
    if (output.length < frame.uncompressedSize) output = Buffer.allocUnsafeSlow(frame.uncompressedSize);
    const compressed = input.subarray(0, frame.size);
    for (let done = 0; done < compressed.length;) {
      const count = fs.readSync(fd, compressed, done, compressed.length - done, start + done);
      if (count === 0) throw corrupt(item.label, `frame ${number} ends early`);
      done += count;
    }
    if (sha256(compressed) !== frame.sha256)
      throw corrupt(item.label, `frame ${number} is damaged: its sha256 is not the manifest's`);
    decoder ??= openDecoder(codec);
    try {
      bytes = decoder.decode(compressed, frame.uncompressedSize, output);
    } catch (cause) {
      throw corrupt(item.label, `frame ${number} cannot be decoded`, cause);
    }
    current = number;
    return bytes;
  };
}

/**
 * Makes the content of a package from a patch and the installed version of it. What comes out is as good as the package:
 * its manifest has the digest that the index pins, and each file the digest that the manifest names.
 */
import { createHash, type Hash } from 'node:crypto';
import * as fs from 'node:fs';
import { openEncoder, type Encoder } from '#schema/container/codec';
import { corrupt } from '#schema/container/open';
import { readHeader } from '#schema/container/read';
import { sha256 } from '#schema/digest';
import type { PackageRecord } from '#schema/index-shard';
import type { Frame, Manifest, RegularFile } from '#schema/manifest';
import { dictionaryOf } from '#schema/patch/codec';
import {
  MAX_DICTIONARY_BYTES,
  neededFiles,
  sourceFiles,
  type NeededFile,
  type PatchSection,
} from '#schema/patch/format';
import type { FetchedPackage } from '../model.ts';
import { openInstalled, type InstalledContent } from './installed-content.ts';
import { openPatch, type OpenPatch } from './read-patch.ts';

export interface RebuildRequest {
  readonly root: string;
  /** The header of the installed package, as the store keeps it. */
  readonly installed: Uint8Array;
  readonly patch: string;
  /** What the index says of the package that is to come out. */
  readonly record: PackageRecord;
  /** The file to write: a package of the same content whose frames are compressed less, and do not have the digests of the manifest. */
  readonly output: string;
}

/** What the package is to those who install it; its manifest has the frames as they are in the file. */
export type Rebuilt = Omit<FetchedPackage, 'change' | 'received' | 'patched'>;

/** Written once and read once, right afterwards. */
const LEVEL = 1;

/**
 * @throws IcepkgError `package-corrupt` or `format-invalid` where the patch does not lead to the package
 */
export async function rebuild(request: RebuildRequest): Promise<Rebuilt> {
  const { record, output, root } = request;
  const what = `the patch to ${record.name}-${record.version}`;
  const old = readHeader(request.installed, `the installed ${record.name}`);
  const patch = openPatch(request.patch, what);
  const installed = openInstalled(root, what);
  const encoder = openEncoder('zstd', LEVEL);
  try {
    if (patch.head.from !== old.manifestSha256 || patch.head.to !== record.manifest.sha256)
      throw corrupt(what, 'is one between other packages');
    const header = await encoder.encode(patch.next(patch.head.header, asDictionary(old.manifestBytes)));
    const { manifest, manifestSha256 } = readHeader(header, what);
    if (manifestSha256 !== record.manifest.sha256) throw corrupt(what, 'leads to another manifest');
    const needed = neededFiles(old.manifest, manifest);
    const carried = openCarried({ patch, installed, old: old.manifest, what }, needed);
    const frames = await writeFrames({
      output,
      header,
      manifest,
      encoder,
      pieces: piecesOf({ needed, carried, installed, what }),
    });
    return {
      file: output,
      headerSize: header.length,
      manifest: { ...manifest, frames: [...frames] },
      header,
    };
  } finally {
    patch.close();
    installed.close();
  }
}

function asDictionary(bytes: Uint8Array): Uint8Array {
  const { dictionary, content } = dictionaryOf(bytes.length);
  content.set(bytes);
  return dictionary;
}

interface Sources {
  readonly patch: OpenPatch;
  readonly installed: InstalledContent;
  readonly old: Manifest;
  readonly what: string;
}

/** The content of the sections, one after the other. */
interface Carried {
  /** Up to `length` of the next bytes. */
  take(length: number): Uint8Array;
}

function openCarried(sources: Sources, needed: readonly NeededFile[]): Carried {
  const { patch, what } = sources;
  const { sections } = patch.head;
  const expected = needed.reduce((sum, { file, same }) => sum + (same === undefined ? file.size : 0), 0);
  if (sections.reduce((sum, section) => sum + section.uncompressedSize, 0) !== expected)
    throw corrupt(what, 'does not carry what the installed version lacks');
  let index = 0;
  let bytes: Uint8Array = new Uint8Array();
  return {
    take: (length) => {
      const section = sections[index];
      if (bytes.length === 0 && section !== undefined) {
        bytes = patch.next(section, dictionaryFor(section, sources));
        index += 1;
      }
      const piece = bytes.subarray(0, length);
      bytes = bytes.subarray(piece.length);
      return piece;
    },
  };
}

function dictionaryFor({ pieces }: PatchSection, { installed, old, what }: Sources): Uint8Array {
  const size = pieces.reduce((sum, [, , length]) => sum + length, 0);
  if (size > MAX_DICTIONARY_BYTES) throw corrupt(what, 'draws on more than it may');
  const { dictionary, content } = dictionaryOf(size);
  const sources = sourceFiles(old);
  let at = 0;
  for (const [place, start, length] of pieces) {
    const file = sources.get(place);
    if (file === undefined || start + length > file.size)
      throw corrupt(what, 'draws on what the installed version has not');
    installed.read(file, start, content.subarray(at, at + length));
    at += length;
  }
  return dictionary;
}

/** A run of content of one file, and where it goes in the frames. */
interface PlacedPiece {
  readonly frame: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const PIECE = 1024 * 1024;

interface Contents {
  readonly needed: readonly NeededFile[];
  readonly carried: Carried;
  readonly installed: InstalledContent;
  readonly what: string;
}

/** All content in the order of the package; a file's last piece comes once the whole file has its digest. */
function* piecesOf({ needed, carried, installed, what }: Contents): Generator<PlacedPiece> {
  const room = Buffer.allocUnsafe(PIECE);
  for (const { file, same } of needed) {
    const hash = createHash('sha256');
    for (let start = 0; start < file.size;) {
      const length = Math.min(PIECE, file.size - start);
      let bytes: Uint8Array;
      if (same === undefined) bytes = carried.take(length);
      else installed.read(same, start, (bytes = room.subarray(0, length)));
      hash.update(bytes);
      const offset = (file.offset ?? 0) + start;
      start += bytes.length;
      if (start === file.size) checkDigest(hash, file, what);
      yield { frame: (file.frame ?? 1) - 1, offset, bytes };
    }
  }
}

function checkDigest(hash: Hash, file: RegularFile, what: string): void {
  if (hash.digest('hex') !== file.sha256) throw corrupt(what, `does not lead to the content of ${file.path}`);
}

interface Output {
  readonly output: string;
  readonly header: Uint8Array;
  readonly manifest: Manifest;
  readonly encoder: Encoder;
  readonly pieces: Iterable<PlacedPiece>;
}

/**
 * Writes the header and frames of the sizes that the manifest gives, with zeros where no file's content is.
 * @returns the frames as written
 */
async function writeFrames({ output, header, manifest, encoder, pieces }: Output): Promise<Frame[]> {
  const fd = fs.openSync(output, 'w', 0o644);
  const frames: Frame[] = [];
  let room = Buffer.alloc(0);
  let offset = 0;
  const begin = (): void => {
    room = Buffer.alloc(manifest.frames[frames.length]?.uncompressedSize ?? 0);
  };
  const end = async (): Promise<void> => {
    const bytes = await encoder.encode(room);
    writeWhole(fd, bytes);
    frames.push({ offset, size: bytes.length, uncompressedSize: room.length, sha256: sha256(bytes) });
    offset += bytes.length;
    begin();
  };
  try {
    writeWhole(fd, header);
    begin();
    for (const piece of pieces) {
      for (const part of acrossFrames(manifest.frames, piece)) {
        while (frames.length < part.frame) await end();
        room.set(part.bytes, part.offset);
      }
    }
    while (frames.length < manifest.frames.length) await end();
    return frames;
  } finally {
    fs.closeSync(fd);
  }
}

/** Cuts a piece where frames end. */
function* acrossFrames(frames: readonly Frame[], piece: PlacedPiece): Generator<PlacedPiece> {
  let { offset, bytes } = piece;
  for (const [frame, { uncompressedSize }] of frames.slice(piece.frame).entries()) {
    if (bytes.length === 0) return;
    if (offset < uncompressedSize) {
      const part = bytes.subarray(0, uncompressedSize - offset);
      yield { frame: piece.frame + frame, offset, bytes: part };
      bytes = bytes.subarray(part.length);
    }
    offset = Math.max(0, offset - uncompressedSize);
  }
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done, bytes.length - done);
}

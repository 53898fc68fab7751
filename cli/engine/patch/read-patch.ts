/** Reads a patch file: its head and its sections, each bounded, nothing believed. */
import * as fs from 'node:fs';
import { parseCanonicalJson } from '#schema/canonical-json';
import { decodeFirstFrame } from '#schema/container/codec';
import { corrupt, openPackage } from '#schema/container/open';
import { decode } from '#schema/decode';
import { openPatchDecoder } from '#schema/patch/codec';
import { MAX_PATCH_HEAD_BYTES, PatchHeadSchema, type PatchHead } from '#schema/patch/format';

export interface OpenPatch {
  readonly head: PatchHead;
  /**
   * Decodes the next section, the header first.
   * @throws IcepkgError `package-corrupt`
   */
  next(
    section: { readonly size: number; readonly uncompressedSize: number },
    dictionary: Uint8Array,
  ): Uint8Array;
  close(): void;
}

const INPUT_PIECE = 32 * 1024;

/**
 * @param what names the patch in errors
 * @throws IcepkgError `package-corrupt`, `format-invalid`
 */
export function openPatch(file: string, what: string): OpenPatch {
  const fd = openPackage(file);
  try {
    const { size } = fs.fstatSync(fd);
    const { head, headSize } = readHead(fd, what);
    const lengths = [head.header, ...head.sections].map((section) => section.size);
    if (lengths.reduce((sum, length) => sum + length, headSize) !== size)
      throw corrupt(what, 'is not as long as its head says');
    let at = headSize;
    const decoder = openPatchDecoder();
    return {
      head,
      next: (section, dictionary) => {
        const compressed = readAt(fd, at, section.size);
        at += section.size;
        try {
          return decoder.decode(dictionary, compressed, section.uncompressedSize);
        } catch (cause) {
          throw corrupt(what, 'does not fit what is installed, or is damaged', cause);
        }
      },
      close: () => fs.closeSync(fd),
    };
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

function readHead(fd: number, what: string): { readonly head: PatchHead; readonly headSize: number } {
  let at = 0;
  const next = (): Uint8Array => {
    const piece = readAt(fd, at, INPUT_PIECE);
    at += piece.length;
    return piece;
  };
  try {
    const { bytes, consumed } = decodeFirstFrame('zstd', next, MAX_PATCH_HEAD_BYTES);
    const where = `the head of ${what}`;
    return { head: decode(PatchHeadSchema, parseCanonicalJson(bytes, where), where), headSize: consumed };
  } catch (cause) {
    throw corrupt(what, 'its head cannot be read', cause);
  }
}

/** As many of `size` bytes as there are. */
function readAt(fd: number, position: number, size: number): Uint8Array {
  const rest = Math.max(0, fs.fstatSync(fd).size - position);
  const room = Buffer.allocUnsafe(Math.min(size, rest));
  for (let done = 0; done < room.length;) {
    const count = fs.readSync(fd, room, done, room.length - done, position + done);
    if (count === 0) return room.subarray(0, done);
    done += count;
  }
  return room;
}

/** zstd with other content as raw dictionary: what the dictionary has costs next to nothing. */
import { createRequire } from 'node:module';
import type * as zstd from 'zstd-napi/binding.js';
import { detectCodec } from '../container/codec.ts';

const load = (): typeof zstd => createRequire(import.meta.url)('zstd-napi/binding.js') as typeof zstd;

/** The smallest patches that do not take a second and more for each mebibyte. */
const LEVEL = 19;
const LEAST_WINDOW_LOG = 10;
const MOST_WINDOW_LOG = 27;

/**
 * Bytes that a dictionary starts with, so that no content passes for a dictionary in zstd's own format, which begins
 * with a magic number.
 */
const GUARD = 1;

/** Room for a dictionary with `size` bytes of content; `content` is where they go. */
export function dictionaryOf(size: number): { readonly dictionary: Buffer; readonly content: Buffer } {
  const dictionary = Buffer.allocUnsafe(GUARD + size);
  dictionary.fill(0, 0, GUARD);
  return { dictionary, content: dictionary.subarray(GUARD) };
}

export interface PatchEncoder {
  /** @param dictionary as `dictionaryOf` made it */
  encode(dictionary: Uint8Array, bytes: Uint8Array): Uint8Array;
}

/** An encoder that reuses its context, which takes up to some hundred mebibytes: one a thread. */
export function openPatchEncoder(): PatchEncoder {
  const binding = load();
  const context = new binding.CCtx();
  return {
    encode: (dictionary, bytes) => {
      const windowLog = Math.ceil(Math.log2(dictionary.length + bytes.length));
      context.reset(binding.ResetDirective.sessionAndParameters);
      context.setParameter(binding.CParameter.compressionLevel, LEVEL);
      context.setParameter(binding.CParameter.checksumFlag, 1);
      context.setParameter(
        binding.CParameter.windowLog,
        Math.min(MOST_WINDOW_LOG, Math.max(LEAST_WINDOW_LOG, windowLog)),
      );
      context.loadDictionary(dictionary);
      const room = Buffer.allocUnsafe(binding.compressBound(bytes.length));
      // A copy: the room is many times as large.
      return Uint8Array.from(room.subarray(0, context.compress2(room, bytes)));
    },
  };
}

export interface PatchDecoder {
  /**
   * Decodes one frame.
   * @param uncompressedSize what it must give exactly
   * @throws Error where the bytes are damaged, are not exactly one frame, give another size, or the dictionary is another
   */
  decode(dictionary: Uint8Array, compressed: Uint8Array, uncompressedSize: number): Uint8Array;
}

/** A decoder that reuses its context, which holds the last dictionary. */
export function openPatchDecoder(): PatchDecoder {
  const binding = load();
  const context = new binding.DCtx();
  return {
    decode: (dictionary, compressed, uncompressedSize) => {
      if (detectCodec(compressed) !== 'zstd') throw new Error('not a zstd frame');
      if (binding.findFrameCompressedSize(compressed) !== compressed.length)
        throw new Error('bytes follow the end of the frame');
      context.loadDictionary(dictionary);
      const room = Buffer.allocUnsafe(uncompressedSize);
      const size = context.decompress(room, compressed);
      if (size !== uncompressedSize) throw new Error(`gives ${size} bytes instead of ${uncompressedSize}`);
      return room;
    },
  };
}

/**
 * The two codecs of a package. A frame is one whole zstd frame or one whole xz stream; both are decoded in
 * memory, into no more room than the caller allows. The native modules load on first use.
 */
import { createRequire } from 'node:module';
import type * as zstd from 'zstd-napi/binding.js';
import { XzDecoder, xzEncode } from './xz.ts';

export type Codec = 'xz' | 'zstd';
export const CODECS = ['xz', 'zstd'] as const satisfies readonly Codec[];

export interface Decoder {
  /**
   * Decodes one whole frame.
   * @param uncompressedSize what the frame must give exactly
   * @param into room to reuse, of at least that size; the result is a view of it
   * @throws Error where the bytes are damaged, are not exactly one frame, or give another size
   */
  decode(compressed: Uint8Array, uncompressedSize: number, into?: Uint8Array): Uint8Array;
}

/** What is at the start of a file: one frame of a size not known before. */
export interface FirstFrame {
  readonly bytes: Uint8Array;
  /** Compressed size. */
  readonly consumed: number;
}

export interface Encoder {
  encode(bytes: Uint8Array): Promise<Uint8Array>;
}

/** A decoder that reuses its context; one a thread, and any number of frames one after the other. */
export function openDecoder(codec: Codec): Decoder {
  return codec === 'zstd' ? zstdDecoder() : new XzDecoder();
}

export const DEFAULT_LEVEL = { xz: 6, zstd: 11 } as const satisfies Record<Codec, number>;
export const MAX_LEVEL = { xz: 9, zstd: 19 } as const satisfies Record<Codec, number>;

export function openEncoder(codec: Codec, level: number = DEFAULT_LEVEL[codec]): Encoder {
  if (codec === 'xz') return { encode: (bytes) => xzEncode(bytes, level) };
  const binding = loadZstd();
  const context = new binding.CCtx();
  context.setParameter(binding.CParameter.compressionLevel, level);
  context.setParameter(binding.CParameter.checksumFlag, 1);
  return {
    encode: async (bytes) => {
      const room = Buffer.allocUnsafe(binding.compressBound(bytes.length));
      return room.subarray(0, context.compress2(room, bytes));
    },
  };
}

const MAGIC = { zstd: Buffer.from('28b52ffd', 'hex'), xz: Buffer.from('fd377a585a00', 'hex') } as const;

/** Tells the codec by the first bytes of a file. */
export function detectCodec(start: Uint8Array): Codec | undefined {
  return CODECS.find((codec) => Buffer.compare(start.subarray(0, MAGIC[codec].length), MAGIC[codec]) === 0);
}

/**
 * Decodes the frame that `next` hands out piece by piece, until the frame ends.
 * @param next the following piece, empty at the end of the file
 * @param limit bytes of output at which the frame is refused
 */
export function decodeFirstFrame(codec: Codec, next: () => Uint8Array, limit: number): FirstFrame {
  return codec === 'zstd' ? zstdFirstFrame(next, limit) : new XzDecoder().firstFrame(next, limit);
}

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

const loadZstd = once(() => createRequire(import.meta.url)('zstd-napi/binding.js') as typeof zstd);

/** One for all in a thread, since each call is done when it returns: the collector does not see the memory of a context. */
const zstdDecoder = once(openZstd);

function openZstd(): Decoder {
  const binding = loadZstd();
  const context = new binding.DCtx();
  return {
    decode(compressed, uncompressedSize, into) {
      const room = into?.subarray(0, uncompressedSize) ?? Buffer.allocUnsafe(uncompressedSize);
      if (!isZstdFrame(compressed)) throw new Error('not a zstd frame');
      if (binding.findFrameCompressedSize(compressed) !== compressed.length) {
        throw new Error('bytes follow the end of the frame');
      }
      const size = context.decompress(room, compressed);
      if (size !== uncompressedSize) throw new Error(`gives ${size} bytes instead of ${uncompressedSize}`);
      return room;
    },
  };
}

const isZstdFrame = (bytes: Uint8Array): boolean => detectCodec(bytes) === 'zstd';

/** The window of the header frame may be 64 MiB at most, which is what the decoder then allocates. */
const MAX_WINDOW_LOG = 26;
const OUTPUT_PIECE = 256 * 1024;

/** Compressed size of the frame at the start of `bytes`; `undefined` where it does not end there. */
function frameLength(binding: typeof zstd, bytes: Uint8Array): number | undefined {
  try {
    return binding.findFrameCompressedSize(bytes);
  } catch {
    return undefined;
  }
}

function zstdFirstFrame(next: () => Uint8Array, limit: number): FirstFrame {
  const binding = loadZstd();
  let piece = next();
  const length = frameLength(binding, piece);
  const content = length === undefined ? null : binding.getFrameContentSize(piece);
  if (length !== undefined && content !== null && content <= limit) {
    const bytes = openDecoder('zstd').decode(piece.subarray(0, length), content);
    return { bytes, consumed: length };
  }
  const context = new binding.DCtx();
  context.setParameter(binding.DParameter.windowLogMax, MAX_WINDOW_LOG);
  const output: Uint8Array[] = [];
  let size = 0;
  let consumed = 0;
  for (;;) {
    const room = Buffer.allocUnsafe(OUTPUT_PIECE);
    const [left, produced, read] = context.decompressStream(room, piece);
    if (produced > 0) output.push(room.subarray(0, produced));
    size += produced;
    consumed += read;
    piece = piece.subarray(read);
    if (size > limit) throw new Error(`gives more than ${limit} bytes`);
    if (left === 0) return { bytes: Buffer.concat(output, size), consumed };
    if (piece.length === 0 && produced < room.length) {
      piece = next();
      if (piece.length === 0) throw new Error('ends early');
    }
  }
}

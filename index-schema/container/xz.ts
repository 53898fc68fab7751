/**
 * xz over lzma-native's own binding: its stream class cannot tell where a stream ends and copies more. Input
 * goes in small pieces, because the binding collects all that one piece gives before it can be stopped.
 */
import { createRequire } from 'node:module';
import type { Decoder, FirstFrame } from './codec.ts';

/** The part of lzma-native that its type declarations leave out. */
interface NativeStream {
  bufferHandler: (
    bytes: Uint8Array | null | undefined,
    processed: number | undefined,
    error: Error | null | undefined,
    totalIn: number | null,
  ) => void;
  code(bytes: Uint8Array | null, inBackground: boolean): void;
  setBufsize(size: number): number;
  resetUnderlying(): void;
  streamDecoder(options: { readonly memlimit: number }): void;
  streamEncoder(options: { readonly check: number; readonly filters: readonly object[] }): void;
}
interface NativeModule {
  readonly Stream: new () => NativeStream;
  readonly FILTER_LZMA2: unknown;
  readonly CHECK_CRC32: number;
  readonly MODE_FAST: number;
  readonly MODE_NORMAL: number;
  readonly MF_HC4: number;
  readonly MF_BT4: number;
}

const load = (): NativeModule => createRequire(import.meta.url)('lzma-native') as NativeModule;

/** Enough for a dictionary of 64 MiB, which is what `xz -9` uses. */
const MEMORY_LIMIT = 80 * 1024 * 1024;
/** xz expands by less than 8,000, so one piece gives at most about 64 MiB before it is checked. */
const INPUT_PIECE = 8 * 1024;
const OUTPUT_PIECE = 128 * 1024;

export class XzDecoder implements Decoder {
  readonly #native = load();

  decode(compressed: Uint8Array, uncompressedSize: number, into?: Uint8Array): Uint8Array {
    const room = into?.subarray(0, uncompressedSize) ?? Buffer.allocUnsafe(uncompressedSize);
    let size = 0;
    let offset = 0;
    const consumed = this.#run(
      () => {
        const piece = compressed.subarray(offset, offset + INPUT_PIECE);
        offset += piece.length;
        return piece;
      },
      (bytes) => {
        if (size + bytes.length > uncompressedSize)
          throw new Error(`gives more than ${uncompressedSize} bytes`);
        room.set(bytes, size);
        size += bytes.length;
      },
    );
    if (size !== uncompressedSize) throw new Error(`gives ${size} bytes instead of ${uncompressedSize}`);
    if (consumed !== compressed.length) throw new Error('bytes follow the end of the frame');
    return room;
  }

  firstFrame(next: () => Uint8Array, limit: number): FirstFrame {
    const output: Uint8Array[] = [];
    let size = 0;
    let rest: Uint8Array = new Uint8Array();
    const consumed = this.#run(
      () => {
        if (rest.length === 0) rest = next();
        const piece = rest.subarray(0, INPUT_PIECE);
        rest = rest.subarray(piece.length);
        return piece;
      },
      (bytes) => {
        size += bytes.length;
        if (size > limit) throw new Error(`gives more than ${limit} bytes`);
        output.push(bytes);
      },
    );
    return { bytes: Buffer.concat(output, size), consumed };
  }

  /** Feeds one stream to its end and returns how much input it took. */
  #run(next: () => Uint8Array, take: (bytes: Uint8Array) => void): number {
    const stream = new this.#native.Stream();
    stream.setBufsize(OUTPUT_PIECE);
    stream.streamDecoder({ memlimit: MEMORY_LIMIT });
    const state: { ended: boolean; failure: unknown; consumed: number } = {
      ended: false,
      failure: undefined,
      consumed: 0,
    };
    // The handler is called from native code, out of which nothing may be thrown.
    stream.bufferHandler = (bytes, _processed, error, totalIn) => {
      if (totalIn !== null) state.consumed = totalIn;
      if (error instanceof Error) state.failure ??= error;
      else if (bytes === null) state.ended = true;
      else if (bytes !== undefined && state.failure === undefined) {
        try {
          take(bytes);
        } catch (thrown) {
          state.failure = thrown;
        }
      }
    };
    try {
      while (!state.ended) {
        const piece = next();
        if (piece.length === 0) throw new Error('ends early');
        stream.code(piece, false);
        if (state.failure instanceof Error) throw state.failure;
      }
      return state.consumed;
    } finally {
      stream.resetUnderlying();
    }
  }
}

/** Encodes one whole stream in a background thread; a dictionary no larger than the input keeps both sides small. */
export function xzEncode(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  const native = load();
  const stream = new native.Stream();
  stream.streamEncoder({ check: native.CHECK_CRC32, filters: [lzma2(native, bytes.length, level)] });
  stream.setBufsize(Math.max(4096, Math.min(bytes.length, 1024 * 1024)));
  return new Promise((resolve, reject) => {
    const output: Uint8Array[] = [];
    let finishing = false;
    stream.bufferHandler = (piece, processed, error) => {
      if (error instanceof Error) reject(error);
      else if (piece === null) resolve(Buffer.concat(output));
      else if (piece !== undefined) output.push(piece);
      else if (processed !== undefined && !finishing) {
        finishing = true;
        stream.code(null, true);
      }
    };
    stream.code(bytes, true);
  });
}

/** xz's own presets but for the dictionary: 0 to 3 are the fast mode, 7 to 9 the extreme variants. */
function lzma2(native: NativeModule, size: number, level: number): object {
  let dictSize = 4096;
  while (dictSize < size) dictSize *= 2;
  const fast = { mode: native.MODE_FAST, mf: native.MF_HC4, niceLen: 128, depth: 4 };
  const normal = { mode: native.MODE_NORMAL, mf: native.MF_BT4, niceLen: 64, depth: 0 };
  const extreme = { mode: native.MODE_NORMAL, mf: native.MF_BT4, niceLen: 273, depth: 512 };
  const mode = level <= 3 ? fast : level <= 6 ? normal : extreme;
  return { id: native.FILTER_LZMA2, options: { dictSize, ...mode } };
}

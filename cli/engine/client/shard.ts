/** Decodes a shard of the index: zstd over JSON, bounded, checked once. */
import { parseJson } from '#schema/canonical-json';
import { decodeFirstFrame } from '#schema/container/codec';
import { decode } from '#schema/decode';
import { IcepkgError } from '#schema/error';
import { IndexShardSchema, type IndexShard } from '#schema/index-shard';
import { MAX_SHARD_BYTES } from '#schema/limits';

/** Bytes of a compressed shard. */
export const MAX_COMPRESSED_SHARD = 64 * 1024 * 1024;

/**
 * @param what names the shard in errors
 * @throws IcepkgError `format-invalid`: the bytes are those that were signed, so only the operator can mend it
 */
export function decodeShard(compressed: Uint8Array, what: string): IndexShard {
  try {
    return decode(IndexShardSchema, parseJson(decompress(compressed, what), what), what);
  } catch (cause) {
    if (!(cause instanceof IcepkgError)) throw cause;
    throw new IcepkgError(cause.code, cause.message, {
      hint: 'The repository was published like this: tell its operator, or go on without it by enabled = false in etc/icepkg/repositories.toml',
      cause,
    });
  }
}

/** The same for bytes that `decodeShard` accepted before. */
export const parseShard = (compressed: Uint8Array, what: string): IndexShard =>
  JSON.parse(Buffer.from(decompress(compressed, what)).toString('utf8')) as IndexShard;

function decompress(compressed: Uint8Array, what: string): Uint8Array {
  let given = false;
  const next = (): Uint8Array => {
    if (given) return new Uint8Array(0);
    given = true;
    return compressed;
  };
  let frame: { readonly bytes: Uint8Array; readonly consumed: number };
  try {
    frame = decodeFirstFrame('zstd', next, MAX_SHARD_BYTES);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unreadable';
    throw new IcepkgError('format-invalid', `${what}: ${reason}`, { cause });
  }
  if (frame.consumed !== compressed.length) {
    throw new IcepkgError('format-invalid', `${what}: bytes follow the end of the frame`);
  }
  return frame.bytes;
}

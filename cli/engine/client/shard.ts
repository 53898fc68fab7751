/** Decodes a shard of the index: zstd over canonical JSON, bounded, checked once. */
import { parseJson } from '#schema/canonical-json';
import { decodeFirstFrame } from '#schema/container/codec';
import { decode } from '#schema/decode';
import { IcepkgError } from '#schema/error';
import { IndexShardSchema, type IndexShard, type PackageRecord } from '#schema/index-shard';
import { MAX_SHARD_BYTES } from '#schema/limits';

/** Bytes of a compressed shard. */
export const MAX_COMPRESSED_SHARD = 64 * 1024 * 1024;

/** Where a record stands in the bytes of its shard. */
export interface RecordRange {
  readonly start: number;
  readonly length: number;
}

export interface LocatedShard {
  readonly content: IndexShard;
  /** Of each of its packages. */
  readonly ranges: readonly RecordRange[];
}

/**
 * @param what names the shard in errors
 * @throws IcepkgError `format-invalid`: the bytes are those that were signed, so only the operator can mend it
 */
export function decodeShard(compressed: Uint8Array, what: string): IndexShard {
  const bytes = decompressShard(compressed, what);
  return blamingOperator(() => decode(IndexShardSchema, parseJson(bytes, what), what));
}

/** The same for bytes that `decodeShard` accepted before. */
export const parseShard = (compressed: Uint8Array, what: string): IndexShard =>
  JSON.parse(Buffer.from(decompressShard(compressed, what)).toString('utf8')) as IndexShard;

/**
 * Checks a shard as `decodeShard` does, and tells where its records stand.
 * @param bytes the decompressed shard
 * @throws IcepkgError `format-invalid`, also where the records are not canonical JSON
 */
export const locateRecords = (bytes: Uint8Array, what: string): LocatedShard =>
  blamingOperator(() => {
    const parsed = parseJson(bytes, what);
    const content = decode(IndexShardSchema, parsed, what);
    // Decoding puts members into an order of its own; what was parsed has that of the bytes.
    return { content, ranges: rangesIn(bytes, parsed as IndexShard, what) };
  });

/**
 * One record of a shard that `locateRecords` accepted before. @param bytes the decompressed shard
 * @throws IcepkgError `format-invalid` where no record stands there
 */
export function parseRecord(bytes: Uint8Array, { start, length }: RecordRange): PackageRecord {
  try {
    return JSON.parse(Buffer.from(bytes.subarray(start, start + length)).toString('utf8')) as PackageRecord;
  } catch (cause) {
    throw new IcepkgError('format-invalid', 'the catalogue of an index is damaged', {
      hint: 'Remove catalogue.sqlite from the folders below var/cache/icepkg/index of the root: it is made anew',
      cause,
    });
  }
}

/** What stands before the first record, and is followed by the records with a comma between two. */
const HEAD = '{"format":1,"packages":[';

/** Every range is compared with the record that was parsed, so that no other spelling brings in what was not checked. */
function rangesIn(bytes: Uint8Array, { packages }: IndexShard, what: string): RecordRange[] {
  let start = HEAD.length;
  return packages.map((record) => {
    const expected = Buffer.from(JSON.stringify(record));
    const range = { start, length: expected.length };
    if (!expected.equals(bytes.subarray(start, start + expected.length)))
      throw new IcepkgError('format-invalid', `${what}: not canonical JSON`);
    start += range.length + 1;
    return range;
  });
}

function blamingOperator<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof IcepkgError)) throw cause;
    throw new IcepkgError(cause.code, cause.message, {
      hint: 'The repository was published like this: tell its operator, or go on without it by enabled = false in etc/icepkg/repositories.toml',
      cause,
    });
  }
}

/** @throws IcepkgError `format-invalid` */
export const decompressShard = (compressed: Uint8Array, what: string): Uint8Array =>
  blamingOperator(() => decompress(compressed, what));

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

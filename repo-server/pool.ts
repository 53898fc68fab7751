/**
 * The pool: the records of all packages in a repository, and what is staged for each channel: what its next publish
 * adds to the snapshot that it serves and takes from it. It spares publishing the reading of packages; every record
 * in it was taken from a package that had been verified whole.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { IcepkgError } from '#schema/error';
import { PathSchema, Sha256Schema } from '#schema/fields';
import { PackageRecordSchema, type PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';
import { POOL_FILE, readIfAny, writeDurably } from './layout.ts';
import { PoolRecords } from './pool-records.ts';

/** Paths of packages. Adding what is there and removing what is not are no changes, so a stage may be applied twice. */
const StageSchema = v.strictObject({ add: v.array(PathSchema), remove: v.array(PathSchema) });
export type Stage = v.InferOutput<typeof StageSchema>;

const NotesSchema = v.strictObject({
  /** Digests of packages that were collected: another content never comes under their names. */
  retired: v.record(PathSchema, Sha256Schema),
  staged: v.record(v.string(), StageSchema),
});

/** Format 3, which is JSON with each record on a line of its own, by the path of its package. */
const HEAD = Buffer.from('{"format":3,"packages":{\n');
const TAIL = Buffer.from('\n},');

/** Format 2 had a list of records; they were checked when their packages came, and are not looked into. */
const ListPoolSchema = v.strictObject({
  format: v.literal(2),
  packages: v.custom<PackageRecord[]>(Array.isArray, 'expected a list of packages'),
  ...NotesSchema.entries,
});

/** Format 1 named the channels of each package. */
const OldPoolSchema = v.strictObject({
  format: v.literal(1),
  packages: v.array(v.strictObject({ record: PackageRecordSchema, channels: v.array(v.string()) })),
});

export interface Pool {
  readonly records: PoolRecords;
  readonly staged: Map<string, Stage>;
  readonly retired: Map<string, string>;
}

const NOTHING_STAGED: Stage = { add: [], remove: [] };

export function readPool(repository: string): Pool {
  const file = join(repository, POOL_FILE);
  const bytes = readIfAny(file);
  if (bytes === undefined) return { records: new PoolRecords(), staged: new Map(), retired: new Map() };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!text.subarray(0, HEAD.length).equals(HEAD)) return fromOlder(parseJson(bytes, file), file);
  const end = text.lastIndexOf(TAIL);
  const notes = decode(NotesSchema, parseJson(rest(text, end, file), file), file);
  return poolOf(
    PoolRecords.fromLines(linesOf(text.subarray(HEAD.length, Math.max(end, HEAD.length)))),
    notes,
  );
}

/** What stands behind the records, as an object. @throws IcepkgError `format-invalid` */
function rest(text: Buffer, end: number, file: string): Uint8Array {
  if (end === -1) throw new IcepkgError('format-invalid', `${file}: is cut short`, { hint: RESTORE });
  return Buffer.concat([Buffer.from('{'), text.subarray(end + TAIL.length)]);
}

const RESTORE = 'Restore it from a backup; without the file, add the packages again';

const COMMA = 0x2c;

function* linesOf(text: Buffer): Generator<Buffer> {
  for (let at = 0; at < text.length;) {
    const feed = text.indexOf('\n', at);
    const end = feed === -1 ? text.length : feed;
    yield text.subarray(at, text[end - 1] === COMMA ? end - 1 : end);
    at = end + 1;
  }
}

const poolOf = (records: PoolRecords, { staged, retired }: v.InferOutput<typeof NotesSchema>): Pool => ({
  records,
  staged: new Map(Object.entries(staged)),
  retired: new Map(Object.entries(retired)),
});

export function writePool(repository: string, { records, staged, retired }: Pool): void {
  const file = join(repository, POOL_FILE);
  const notes = {
    retired: Object.fromEntries(retired),
    staged: Object.fromEntries([...staged].filter(([, { add, remove }]) => add.length + remove.length > 0)),
  };
  // Decoded before it is written, so that a pool that cannot be read back never replaces one that can.
  const behind = Buffer.from(canonicalJson(decode(NotesSchema, notes, file))).subarray(1);
  writeDurably(file, Buffer.concat([HEAD, ...records.pieces(), TAIL, behind]));
}

/** What the next publish of a channel changes. */
export const stageOf = ({ staged }: Pool, channel: string): Stage => staged.get(channel) ?? NOTHING_STAGED;

type Records = ReadonlyMap<string, PackageRecord>;

/**
 * Stages paths: an addition takes back a removal, and the other way round.
 * @param served what the channel serves, by path; what is there already is not added
 */
export function stage(
  pool: Pool,
  of: { readonly channel: string; readonly served: Records },
  change: Stage,
): void {
  const { channel, served } = of;
  const before = stageOf(pool, channel);
  const [add, remove] = [new Set(change.add), new Set(change.remove)];
  const documentsCame = (path: string): boolean =>
    served.get(path)?.documents === undefined && pool.records.get(path)?.documents !== undefined;
  pool.staged.set(channel, {
    add: [...new Set([...before.add, ...add])]
      .filter((path) => !remove.has(path) && (!served.has(path) || documentsCame(path)))
      .sort(comparePaths),
    remove: [...new Set([...before.remove, ...remove])]
      .filter((path) => !add.has(path) && served.has(path))
      .sort(comparePaths),
  });
}

/** What a channel will hold: `served`, by path, with what is staged. */
export function withStage(pool: Pool, channel: string, served: Records): Map<string, PackageRecord> {
  const { add, remove } = stageOf(pool, channel);
  const records = new Map(served);
  for (const path of remove) records.delete(path);
  for (const path of add) {
    const record = pool.records.get(path);
    if (record !== undefined) records.set(path, record);
  }
  return records;
}

function fromOlder(document: unknown, file: string): Pool {
  if (v.is(v.looseObject({ format: v.literal(2) }), document)) {
    const { packages, ...notes } = decode(ListPoolSchema, document, file);
    return poolOf(PoolRecords.of(packages), notes);
  }
  const { packages } = decode(OldPoolSchema, document, file);
  const pool = poolOf(PoolRecords.of(packages.map(({ record }) => record)), { staged: {}, retired: {} });
  for (const { record, channels } of packages)
    for (const channel of channels)
      stage(pool, { channel, served: new Map() }, { add: [record.package.path], remove: [] });
  return pool;
}

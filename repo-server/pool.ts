/**
 * The pool: the records of all packages in a repository, and what is staged for each channel: what its next publish
 * adds to the snapshot that it serves and takes from it. It spares publishing the reading of packages; every record
 * in it was taken from a package that had been verified whole.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { PathSchema, Sha256Schema } from '#schema/fields';
import { PackageRecordSchema, type PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';
import { POOL_FILE, readIfAny, writeDurably } from './layout.ts';

/** Paths of packages. Adding what is there and removing what is not are no changes, so a stage may be applied twice. */
const StageSchema = v.strictObject({ add: v.array(PathSchema), remove: v.array(PathSchema) });
export type Stage = v.InferOutput<typeof StageSchema>;

/** Records are not looked into: each was checked when its package came, and nobody else writes here. */
const CheckedRecords = v.custom<PackageRecord[]>(Array.isArray, 'expected a list of packages');

const PoolSchema = v.strictObject({
  format: v.literal(2),
  packages: CheckedRecords,
  staged: v.record(v.string(), StageSchema),
  /** Digests of packages that were collected: another content never comes under their names. */
  retired: v.record(PathSchema, Sha256Schema),
});

/** Format 1 named the channels of each package. */
const OldPoolSchema = v.strictObject({
  format: v.literal(1),
  packages: v.array(v.strictObject({ record: PackageRecordSchema, channels: v.array(v.string()) })),
});

export interface Pool {
  /** By the package's path in the repository. */
  readonly records: Map<string, PackageRecord>;
  readonly staged: Map<string, Stage>;
  readonly retired: Map<string, string>;
}

const NOTHING_STAGED: Stage = { add: [], remove: [] };

export function readPool(repository: string): Pool {
  const file = join(repository, POOL_FILE);
  const bytes = readIfAny(file);
  if (bytes === undefined) return { records: new Map(), staged: new Map(), retired: new Map() };
  const document = parseJson(bytes, file);
  if (v.is(v.looseObject({ format: v.literal(1) }), document)) return fromOld(document, file);
  const { packages, staged, retired } = decode(PoolSchema, document, file);
  return {
    records: byPath(packages),
    staged: new Map(Object.entries(staged)),
    retired: new Map(Object.entries(retired)),
  };
}

export function writePool(repository: string, { records, staged, retired }: Pool): void {
  const file = join(repository, POOL_FILE);
  const document = {
    format: 2,
    packages: [...records.values()].sort((a, b) => comparePaths(a.package.path, b.package.path)),
    staged: Object.fromEntries([...staged].filter(([, { add, remove }]) => add.length + remove.length > 0)),
    retired: Object.fromEntries(retired),
  };
  // Decoded before it is written, so that a pool that cannot be read back never replaces one that can.
  writeDurably(file, canonicalJson(decode(PoolSchema, document, file)));
}

const stageOf = ({ staged }: Pool, channel: string): Stage => staged.get(channel) ?? NOTHING_STAGED;

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

const byPath = (records: readonly PackageRecord[]): Map<string, PackageRecord> =>
  new Map(records.map((record) => [record.package.path, record]));

function fromOld(document: unknown, file: string): Pool {
  const { packages } = decode(OldPoolSchema, document, file);
  const pool: Pool = {
    records: byPath(packages.map(({ record }) => record)),
    staged: new Map(),
    retired: new Map(),
  };
  for (const { record, channels } of packages)
    for (const channel of channels)
      stage(pool, { channel, served: new Map() }, { add: [record.package.path], remove: [] });
  return pool;
}

/**
 * Cuts an index into shards. What is published goes into the last shard until that is full, and into new ones then; the
 * others stay as they are, so that a publish costs what changed, and a client fetches little more than that. What a
 * later shard says of a package is right. A pure function of the records.
 */
import { canonicalJson } from '#schema/canonical-json';
import { openEncoder } from '#schema/container/codec';
import { sha256 } from '#schema/digest';
import type { MachineArch } from '#schema/fields';
import type { IndexShard, PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';
import type { TargetFile } from '#schema/tuf/metadata';
import { byVersion } from './index-diff.ts';

/** Each has an index of its own, with the packages for every machine in it. */
export const INDEXED_ARCHES = ['x86_64', 'aarch64'] as const satisfies readonly MachineArch[];

/** Entries in a shard at most: packages, and paths that were removed. */
const MOST_ENTRIES = 256;
const LEVEL = 15;

/** A shard that is published. */
export interface ServedShard {
  /** Target path: `index/ARCH/NN.json.zst`, in hexadecimal. */
  readonly path: string;
  readonly target: TargetFile;
  readonly content: IndexShard;
}

/** A shard of the next index, with its bytes where they are new. */
export interface Shard {
  readonly path: string;
  readonly target: TargetFile;
  readonly bytes: Uint8Array | undefined;
}

/** What a shard says: the record of a package by its path, or that it is gone. */
type Entries = Map<string, PackageRecord | undefined>;

interface Draft {
  readonly number: number;
  entries: Entries;
  /** As it is served, where it stays so. */
  served: ServedShard | undefined;
}

/**
 * Returns the shards of one architecture in their order.
 * @param served the shards of the index until now, in their order
 * @param records what the index holds from now on, by the paths of the packages
 */
export async function cutShards(
  arch: MachineArch,
  served: readonly ServedShard[],
  records: ReadonlyMap<string, PackageRecord>,
): Promise<Shard[]> {
  const drafts = served.map((shard): Draft => ({
    number: numberOf(shard.path),
    entries: entriesOf(shard.content),
    served: shard,
  }));
  append(drafts, changesOf(drafts, arch, records));
  thinOut(drafts);
  const encoder = openEncoder('zstd', LEVEL);
  const shards: Shard[] = [];
  for (const draft of drafts) {
    if (draft.served !== undefined) shards.push({ ...draft.served, bytes: undefined });
    else if (draft.entries.size > 0) {
      const bytes = await encoder.encode(canonicalJson(documentOf(draft.entries)));
      const path = `index/${arch}/${draft.number.toString(16).padStart(2, '0')}.json.zst`;
      shards.push({ path, bytes, target: { length: bytes.length, hashes: { sha256: sha256(bytes) } } });
    }
  }
  return shards;
}

const numberOf = (path: string): number =>
  Number.parseInt(/([0-9a-f]+)\.json\.zst$/.exec(path)?.[1] ?? '', 16);

function entriesOf({ packages, removed = [] }: IndexShard): Entries {
  const entries: Entries = new Map(removed.map((path) => [path, undefined]));
  for (const record of packages) entries.set(record.package.path, record);
  return entries;
}

function documentOf(entries: Entries): IndexShard {
  const packages = [...entries.values()].filter((record) => record !== undefined);
  const removed = [...entries.keys()].filter((path) => entries.get(path) === undefined).sort(comparePaths);
  return { format: 1, packages: packages.sort(byName), ...(removed.length === 0 ? {} : { removed }) };
}

const byName = (a: PackageRecord, b: PackageRecord): number =>
  comparePaths(a.name, b.name) || byVersion(a.version, b.version) || comparePaths(a.arch, b.arch);

/** What must be said on top of the shards for them to hold these records; neighbours by name stand together. */
function changesOf(
  drafts: readonly Draft[],
  arch: MachineArch,
  records: ReadonlyMap<string, PackageRecord>,
): [string, PackageRecord | undefined][] {
  const before = new Map(drafts.flatMap(({ entries }) => [...entries]));
  const own = [...records.values()].filter((record) => record.arch === arch || record.arch === 'noarch');
  const changed = own.filter((record) => !isSame(before.get(record.package.path), record)).sort(byName);
  const wanted = new Set(own.map((record) => record.package.path));
  const gone = [...before].filter(([path, record]) => record !== undefined && !wanted.has(path));
  return [
    ...gone.map(([path]): [string, undefined] => [path, undefined]),
    ...changed.map((record): [string, PackageRecord] => [record.package.path, record]),
  ];
}

/** A package never changes under its path, but documents may come to it. */
const isSame = (one: PackageRecord | undefined, other: PackageRecord): boolean =>
  one === other ||
  (one?.package.sha256 === other.package.sha256 &&
    JSON.stringify(one.documents) === JSON.stringify(other.documents));

/** Fills the last shard where everything fits into it, and begins new ones otherwise. */
function append(drafts: Draft[], changes: readonly [string, PackageRecord | undefined][]): void {
  if (changes.length === 0) return;
  const last = drafts.at(-1);
  if (last !== undefined && last.entries.size + changes.length <= MOST_ENTRIES) {
    replace(last, new Map([...last.entries, ...changes]));
    return;
  }
  const first = (last?.number ?? -1) + 1;
  for (let at = 0; at < changes.length; at += MOST_ENTRIES) {
    const entries = new Map(changes.slice(at, at + MOST_ENTRIES));
    drafts.push({ number: first + at / MOST_ENTRIES, entries, served: undefined });
  }
}

/** Writes shards anew that hold mostly what later ones overrule, and lays small neighbours together. */
function thinOut(drafts: Draft[]): void {
  const last = new Map(drafts.flatMap((draft) => [...draft.entries.keys()].map((path) => [path, draft])));
  const named = new Set<string>();
  for (const draft of drafts) {
    const alive = [...draft.entries].filter(
      ([path, record]) => last.get(path) === draft && (record !== undefined || named.has(path)),
    );
    if (draft.served === undefined || alive.length * 2 < draft.entries.size) replace(draft, new Map(alive));
    for (const [path, record] of draft.entries) if (record !== undefined) named.add(path);
  }
  for (let at = drafts.length - 2; at >= 0; at--) {
    const [one, next] = [drafts[at], drafts[at + 1]];
    if (one === undefined || next === undefined) continue;
    if (one.entries.size + next.entries.size > MOST_ENTRIES / 2) continue;
    replace(one, new Map([...one.entries, ...next.entries]));
    drafts.splice(at + 1, 1);
  }
}

function replace(draft: Draft, entries: Entries): void {
  draft.entries = entries;
  draft.served = undefined;
}

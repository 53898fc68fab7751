/** The two steps of garbage collection, whatever holds the files: what is condemned now, what waits, and what goes. */
import { join } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { readIfAny, writeDurably } from './layout.ts';
import { isReferenced } from './references.ts';

const DEFAULT_GRACE_HOURS = 24;
const HOUR = 3_600_000;

const CondemnedSchema = v.strictObject({
  format: v.literal(1),
  /** Since when nothing names a file. */
  files: v.record(v.string(), v.pipe(v.string(), v.isoTimestamp())),
});
type Condemned = Readonly<Record<string, string>>;

export interface Removal {
  /** Files that nothing names since now. */
  readonly condemned: readonly string[];
  /** Files that wait for their removal since an earlier collection. */
  readonly waiting: readonly string[];
  readonly removed: readonly string[];
  readonly removedBytes: number;
}

export interface RemovalPlan extends Removal {
  /** What stays condemned, since when. */
  readonly standing: Condemned;
}

export interface Candidates {
  /** What the collector may judge. */
  readonly files: Iterable<string>;
  readonly sizeOf: (path: string) => number;
  readonly referenced: ReadonlySet<string>;
  /** What was condemned before. */
  readonly before: Condemned;
}

/** @param graceHours how long a file stays once nothing names it */
export function planRemoval(
  { files, sizeOf, referenced, before }: Candidates,
  now: Date,
  graceHours: number = DEFAULT_GRACE_HOURS,
): RemovalPlan {
  const condemned: string[] = [];
  const waiting: string[] = [];
  const removed: string[] = [];
  const standing: Record<string, string> = {};
  for (const path of files) {
    if (isReferenced(referenced, path)) continue;
    const since = before[path];
    if (since !== undefined && Date.parse(since) + graceHours * HOUR <= now.getTime()) {
      removed.push(path);
      continue;
    }
    (since === undefined ? condemned : waiting).push(path);
    standing[path] = since ?? now.toISOString();
  }
  const removedBytes = removed.reduce((total, path) => total + sizeOf(path), 0);
  return { condemned, waiting, removed, removedBytes, standing };
}

/** @param notes path in the repository */
export function readCondemned(repository: string, notes: string): Condemned {
  const file = join(repository, notes);
  const bytes = readIfAny(file);
  return bytes === undefined ? {} : decode(CondemnedSchema, parseJson(bytes, file), file).files;
}

export function writeCondemned(repository: string, notes: string, { standing }: RemovalPlan): void {
  writeDurably(join(repository, notes), canonicalJson({ format: 1, files: standing }));
}

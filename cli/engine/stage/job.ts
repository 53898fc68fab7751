/** What is to be unpacked, cut into pieces that any thread can take: plain data that can go to another thread. */
import type { Frame } from '#schema/manifest';
import type { StagedEntry } from '../file-plan/operations.ts';
import type { FetchedPackage } from '../model.ts';
import { stagePath, type Area } from '../transaction/layout.ts';

/** A regular file to be made. */
export interface JobFile {
  /** For messages and deviations. */
  readonly path: string;
  /** Where it is put together, relative to the root. */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly sha256: string;
  /** Index into the job's frames, and offset in that frame; 0 for empty files. */
  readonly frame: number;
  readonly offset: number;
}

/** A run of frames of one package and the files that start in them. */
export interface StageJob {
  /** For messages, e.g. `zlib-1.3.1-r0`. */
  readonly label: string;
  readonly file: string;
  /** Offset of the frames in the file. */
  readonly base: number;
  readonly frames: readonly Frame[];
  readonly files: readonly JobFile[];
  /** Uncompressed bytes of the frames. */
  readonly bytes: number;
}

export interface JobSource {
  readonly areas: readonly Area[];
  readonly write: readonly StagedEntry[];
  readonly packages: readonly Pick<FetchedPackage, 'file' | 'headerSize' | 'manifest'>[];
}

/** Uncompressed bytes at which a package's next frame goes to another job. */
const JOB_BYTES = 4 * 1024 * 1024;

/** Every frame that holds something to write is in one job only, unless a file of the run before ends in it. */
export function makeJobs({ areas, write, packages }: JobSource): readonly StageJob[] {
  const byPackage = new Map<string, StagedEntry[]>();
  for (const staged of write) {
    if (staged.entry.type !== 'file') continue;
    const list = byPackage.get(staged.package);
    if (list === undefined) byPackage.set(staged.package, [staged]);
    else list.push(staged);
  }
  return packages.flatMap(({ file, headerSize, manifest }) => {
    const label = `${manifest.name}-${manifest.version}`;
    const runs = cut(manifest.frames, (byPackage.get(manifest.name) ?? []).sort(byPlace));
    return runs.map(({ first, last, entries }) => {
      const frames = manifest.frames.slice(first, last + 1);
      const files = entries.map((staged) => jobFile(areas, staged, first));
      return { label, file, base: headerSize, frames, files, bytes: sizeOf(frames) };
    });
  });
}

interface Run {
  readonly first: number;
  last: number;
  readonly entries: StagedEntry[];
}

/** @param entries in the order of the package */
function cut(frames: readonly Frame[], entries: readonly StagedEntry[]): readonly Run[] {
  const runs: Run[] = [];
  let run: Run | undefined;
  for (const staged of entries) {
    const [first, last] = framesOf(frames, staged);
    if (
      run === undefined ||
      (first > run.last && sizeOf(frames.slice(run.first, run.last + 1)) >= JOB_BYTES)
    ) {
      run = { first, last, entries: [] };
      runs.push(run);
    }
    run.last = Math.max(run.last, last);
    run.entries.push(staged);
  }
  return runs;
}

/** First and last frame of a file, as indexes. */
function framesOf(frames: readonly Frame[], { entry }: StagedEntry): readonly [number, number] {
  if (entry.type !== 'file' || entry.frame === undefined) return [0, 0];
  const first = entry.frame - 1;
  let last = first;
  let left = entry.size + (entry.offset ?? 0) - (frames[first]?.uncompressedSize ?? 0);
  for (; left > 0 && last + 1 < frames.length; left -= frames[last]?.uncompressedSize ?? 0) last += 1;
  return [first, last];
}

function jobFile(areas: readonly Area[], { entry, path, uid, gid }: StagedEntry, first: number): JobFile {
  if (entry.type !== 'file') throw new Error(`${path} is no regular file`);
  const { mode, size, sha256 } = entry;
  const target = stagePath(areas, path);
  const frame = entry.frame === undefined ? 0 : entry.frame - 1 - first;
  return { path, target, mode, uid, gid, size, sha256, frame, offset: entry.offset ?? 0 };
}

const sizeOf = (frames: readonly Frame[]): number =>
  frames.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0);

/** Frame, then offset; empty files, which have neither, first. */
function byPlace(a: StagedEntry, b: StagedEntry): number {
  if (a.entry.type !== 'file' || b.entry.type !== 'file') return 0;
  return (a.entry.frame ?? 0) - (b.entry.frame ?? 0) || (a.entry.offset ?? 0) - (b.entry.offset ?? 0);
}

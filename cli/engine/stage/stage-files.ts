/** Decodes packages and puts their files together aside, ready to be renamed into place. */
import * as fs from 'node:fs';
import { IcepkgError, isErrno } from '#schema/error';
import type { FilePlan, StagedEntry } from '../file-plan/operations.ts';
import type { FetchedPackage, OnProgress } from '../model.ts';
import { openDirectories, type Directories } from '../root-fs/directories.ts';
import { openAreas } from '../transaction/areas.ts';
import { stagePath, usedAreas, type Area } from '../transaction/layout.ts';
import { adopt, type Donor } from './donor.ts';
import { deviationOf, setOwner, withoutSetId } from './metadata.ts';
import { makeNode, setXattrs } from './special.ts';
import { makeJobs } from './job.ts';
import { openThreads, type Threads } from './threads.ts';

export interface StageRequest {
  /** Absolute and free of symlinks. */
  readonly root: string;
  readonly areas: readonly Area[];
  readonly plan: Pick<FilePlan, 'write' | 'save' | 'changes'>;
  readonly packages: readonly Pick<FetchedPackage, 'file' | 'headerSize' | 'manifest'>[];
  readonly onProgress: OnProgress;
  readonly signal?: AbortSignal | undefined;
  /** Started beforehand; closed here. */
  readonly threads?: Threads | undefined;
  /** Asked for every regular file and symlink before it is made. */
  readonly donor?: Donor | undefined;
}

export interface StageOutcome {
  /** Path to what could not be set there, in words; to be kept in the rows. */
  readonly deviations: ReadonlyMap<string, string>;
  readonly notices: readonly string[];
}

interface Work extends StageRequest {
  readonly directories: Directories;
  readonly deviations: Map<string, string>;
}

/**
 * Leaves what it made so far in the stage when it fails: `discard` of the transaction deletes it.
 * @throws IcepkgError `package-corrupt` naming package and path
 */
export async function stageFiles(request: StageRequest): Promise<StageOutcome> {
  const directories = openDirectories(request.root);
  const work: Work = { ...request, directories, deviations: new Map() };
  try {
    const { write, save } = request.plan;
    const paths = [...write.map(({ path }) => path), ...save.map(({ to }) => to)];
    openAreas(request.root, usedAreas(request.areas, paths));
    for (const staged of request.plan.write)
      if (staged.entry.type === 'directory') makeDirectory(work, staged);
    const missing = write.filter((staged) => !takeOver(work, staged));
    await stageContents(work, missing);
    for (const staged of missing) stageRest(work, staged);
    for (const staged of missing) if (staged.entry.type === 'symlink') makeSymlink(work, staged);
    for (const { from, to } of request.plan.save) saveConfig(work, from, to);
    // Contents first: a directory may be closed to its own owner.
    for (const staged of request.plan.write.toReversed()) finishDirectory(work, staged);
    for (const directory of request.plan.changes.directories) foretell(work, directory);
  } finally {
    directories.close();
  }
  const count = work.deviations.size;
  const notices =
    count === 0
      ? []
      : [`${count} paths could not be given their owner or kind: only root may; see icepkg verify`];
  return { deviations: work.deviations, notices };
}

async function stageContents(work: Work, write: readonly StagedEntry[]): Promise<void> {
  const jobs = makeJobs({ areas: work.areas, write, packages: work.packages });
  const total = jobs.reduce((sum, { bytes }) => sum + bytes, 0);
  const threads = work.threads ?? (await openThreads(work.root, total));
  const packages = new Set(jobs.map(({ file }) => file)).size;
  let done = 0;
  try {
    const deviations = await threads.run(jobs, (label, bytes) => {
      done += bytes;
      work.onProgress({ phase: 'extract', item: label, done, total, packages });
      if (work.signal?.aborted === true)
        throw new IcepkgError('cancelled', `cancelled while unpacking ${label}`);
    });
    for (const [path, deviation] of deviations) work.deviations.set(path, deviation);
  } finally {
    await threads.close();
  }
}

const place = (work: Work, path: string): string =>
  work.directories.reach(stagePath(work.areas, path), 0o755);

/** @returns whether the donor had it */
function takeOver(work: Work, staged: StagedEntry): boolean {
  const { entry, path } = staged;
  if (work.donor === undefined || (entry.type !== 'file' && entry.type !== 'symlink')) return false;
  const target = place(work, path);
  if (!adopt(work.donor, staged, target)) return false;
  const mode = entry.type === 'file' ? entry.mode : 0;
  const owned = setOwner(staged, (uid, gid) => fs.lchownSync(target, uid, gid));
  if (entry.type === 'file') fs.chmodSync(target, owned ? mode : withoutSetId(mode));
  if (!owned) work.deviations.set(path, deviationOf(staged, mode));
  return true;
}

function makeDirectory(work: Work, { path }: StagedEntry): void {
  try {
    fs.mkdirSync(place(work, path), { mode: 0o755 });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

/** Everything but regular files, directories and symlinks. */
function stageRest(work: Work, staged: StagedEntry): void {
  const { entry, path } = staged;
  switch (entry.type) {
    case 'hardlink':
      return makeHardlink(work, staged);
    case 'fifo':
    case 'character-device':
    case 'block-device': {
      const deviation = makeNode(forChild(place(work, path)), staged);
      if (deviation !== undefined) work.deviations.set(path, deviation);
      return;
    }
    case 'file':
      return applyXattrs(work, staged, entry.xattrs);
    case 'directory':
    case 'symlink':
  }
}

/** The same path, good for another program while the descriptor stays open here. */
const forChild = (path: string): string => path.replace('/proc/self/', `/proc/${process.pid}/`);

function applyXattrs(
  work: Work,
  staged: StagedEntry,
  xattrs: Readonly<Record<string, string>> | undefined,
): void {
  if (xattrs === undefined) return;
  const deviation = setXattrs(forChild(place(work, staged.path)), xattrs);
  if (deviation === undefined) return;
  const before = work.deviations.get(staged.path);
  work.deviations.set(staged.path, before === undefined ? deviation : `${before}; ${deviation}`);
}

function makeHardlink(work: Work, { path, link }: StagedEntry): void {
  if (link === undefined) return;
  const from = link.staged ? place(work, link.path) : work.directories.at(link.path);
  if (from === undefined) throw new Error(`the way to ${link.path} vanished`);
  fs.linkSync(from, place(work, path));
  const deviation = work.deviations.get(link.path);
  if (deviation !== undefined) work.deviations.set(path, deviation);
}

function makeSymlink(work: Work, staged: StagedEntry): void {
  if (staged.entry.type !== 'symlink') return;
  const target = place(work, staged.path);
  fs.symlinkSync(staged.entry.target, target);
  if (!setOwner(staged, (uid, gid) => fs.lchownSync(target, uid, gid)))
    work.deviations.set(staged.path, deviationOf(staged, 0));
}

function finishDirectory(work: Work, staged: StagedEntry): void {
  const { entry, path } = staged;
  if (entry.type !== 'directory') return;
  const target = place(work, path);
  if (!setOwner(staged, (uid, gid) => fs.lchownSync(target, uid, gid)))
    work.deviations.set(path, deviationOf(staged, entry.mode));
  // Its owner must be able to move it; the commit closes it afterwards.
  fs.chmodSync(target, entry.mode | 0o700);
  applyXattrs(work, staged, entry.xattrs);
}

/** Directories that are there already get their owner after the commit point, when their rows are written. */
function foretell(work: Work, { path, uid, gid, mode }: FilePlan['changes']['directories'][number]): void {
  const ours = uid === process.geteuid?.() && gid === process.getegid?.();
  if (process.geteuid?.() !== 0 && !ours) work.deviations.set(path, deviationOf({ uid, gid }, mode));
}

/** Copies what the operator wrote, with its owner and mode. */
function saveConfig(work: Work, from: string, to: string): void {
  const real = work.directories.at(from);
  if (real === undefined) return;
  const target = place(work, to);
  const { constants } = fs;
  const source = fs.openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const stats = fs.fstatSync(source);
    fs.writeFileSync(target, fs.readFileSync(source), { flag: 'wx', mode: 0o600 });
    setOwner(stats, (uid, gid) => fs.lchownSync(target, uid, gid));
    fs.chmodSync(target, stats.mode & 0o777);
  } finally {
    fs.closeSync(source);
  }
}

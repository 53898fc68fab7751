/**
 * The root that the last build of an image composed: the next one takes over its files, so that with one package more little
 * else is unpacked. It is believed as the kept file systems are.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as v from 'valibot';
import type { Donor } from '#engine/stage/donor';
import { decode } from '#schema/decode';
import { IcepkgError, isErrno } from '#schema/error';
import type { FileEntry } from '#schema/manifest';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import type { RootEntry } from './description.ts';

const ContentsSchema = v.strictObject({
  /** A root that lived through a power cut may be on the disk by halves. */
  boot: v.string(),
  /** Of paths that packages brought, what is there. */
  paths: v.record(v.string(), v.optional(v.string())),
});
type Contents = v.InferOutput<typeof ContentsSchema>;

const TREE = 'root';
const CONTENTS = 'contents.json';

/**
 * Moves the kept root to `taken`, for whoever comes first, and offers its files.
 * @returns `undefined` where none is kept since the machine started, or it is another user's
 */
export function takeRoot(kept: string, taken: string): Donor | undefined {
  if (fs.lstatSync(kept, { throwIfNoEntry: false })?.uid !== process.geteuid?.()) return undefined;
  if (!move(kept, taken)) return undefined;
  const paths = readPaths(path.join(taken, CONTENTS));
  if (paths === undefined) return undefined;
  const tree = path.join(taken, TREE);
  return {
    offer: ({ path: name, entry }) => {
      // Only what was found there, so that no symlink of the tree leads elsewhere.
      const wanted = contentOf(entry);
      if (wanted === undefined || paths[name] !== wanted) return undefined;
      const file = path.join(tree, name);
      const stats = look(file);
      return stats !== undefined && isUntouched(stats, entry) ? file : undefined;
    },
  };
}

/** Nothing where it cannot be read, or another start of the machine wrote it. */
function readPaths(file: string): Contents['paths'] | undefined {
  try {
    const contents = decode(ContentsSchema, JSON.parse(fs.readFileSync(file, 'utf8')), file);
    return contents.boot === bootId() ? contents.paths : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof IcepkgError || isErrno(error, 'ENOENT'))
      return undefined;
    throw error;
  }
}

/** Keeps a composed root that its own build needs no more, in place of the one before; does without where that is another user's. */
export function keepRoot(kept: string, root: string, entries: readonly RootEntry[]): void {
  const folder = `${root}.kept`;
  // What is set-id in there is nobody else's to run, and what belongs to others not theirs to write.
  fs.mkdirSync(folder, { mode: 0o700 });
  fs.renameSync(root, path.join(folder, TREE));
  const packaged = entries.filter(({ packages }) => packages.length > 0);
  const paths = Object.fromEntries(packaged.map((entry) => [entry.path, contentOf(entry)]));
  const contents: Contents = { boot: bootId(), paths };
  fs.writeFileSync(path.join(folder, CONTENTS), JSON.stringify(contents));
  fs.mkdirSync(path.dirname(kept), { recursive: true });
  move(kept, `${folder}.before`);
  move(folder, kept);
}

/** What has to be the same; nothing for what is not given away. */
function contentOf(entry: RootEntry | FileEntry): string | undefined {
  if ('xattrs' in entry && entry.xattrs !== undefined) return undefined;
  if (entry.type === 'symlink') return `symlink to ${entry.target ?? ''}`;
  return entry.type === 'file' ? entry.sha256 : undefined;
}

/** Nothing also in folders that are closed to their own owner. */
function look(file: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (isErrno(error, 'EACCES')) return undefined;
    throw error;
  }
}

/** What was written to since has another time; another name of it would change with it; whose it is stays as it is. */
function isUntouched(stats: fs.Stats, entry: FileEntry): boolean {
  if (stats.mtimeMs !== BUILD_EPOCH * 1000 || stats.nlink !== 1) return false;
  if (stats.uid !== process.geteuid?.() || stats.gid !== process.getegid?.()) return false;
  return entry.type === 'file' ? stats.isFile() && stats.size === entry.size : stats.isSymbolicLink();
}

/** False where there is nothing to move, another build was faster, or what is there is another user's. */
function move(from: string, to: string): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST', 'EACCES', 'EPERM')) return false;
    throw error;
  }
}

const bootId = (): string => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

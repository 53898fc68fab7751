/** The file systems of a root: the one it lies on and those mounted below it. */
import { existsSync, lstatSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { openDirectories, type Directories } from '../root-fs/directories.ts';
import { areasOf, OWN_STAGES, STATE_DIRECTORY, type Area } from './layout.ts';

const PSEUDO = new Set([
  'proc',
  'sysfs',
  'devtmpfs',
  'devpts',
  'cgroup',
  'cgroup2',
  'mqueue',
  'securityfs',
  'debugfs',
]);

/** The root's own area first, then one for each mount point below it that can hold files. */
export const findAreas = (root: string): readonly Area[] => areasOf(findMounts(root));

/** The areas that a journal names by their mount points. */
export const areasAt = (root: string, mounts: readonly string[]): readonly Area[] =>
  areasOf(findMounts(root), mounts);

function findMounts(root: string): readonly string[] {
  const base = root === '/' ? '/' : `${root}/`;
  const mounts = new Set<string>();
  for (const line of readMounts().split('\n')) {
    const [before, after] = line.split(' - ');
    const point = unescapeMount(before?.split(' ')[4] ?? '');
    const type = after?.split(' ')[0] ?? '';
    if (point.startsWith(base) && point.length > base.length && !PSEUDO.has(type))
      mounts.add(point.slice(base.length));
  }
  return [...mounts].sort();
}

function readMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return '';
    throw error;
  }
}

/** The kernel writes blanks and backslashes in octal. */
function unescapeMount(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/gu, (_, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  );
}

/**
 * Makes the stage of every area, the root's own first: while that is there, there may be something in the others.
 * @throws IcepkgError `path-unsafe` where others may write to what icepkg keeps in an area
 */
export function openAreas(root: string, areas: readonly Area[]): void {
  const directories = openDirectories(root);
  try {
    for (const area of areas) {
      directories.reach(`${area.stage}/x`, 0o700);
      if (ownFolder(directories, area) !== undefined) continue;
      throw new IcepkgError('path-unsafe', `others may write to ${area.base}, where files are put together`, {
        hint: 'Delete that directory and try again',
      });
    }
  } finally {
    directories.close();
  }
}

/** True while a transaction stages, or where one ended before it had reached its commit point or was done. */
export function hasStage(root: string): boolean {
  return OWN_STAGES.some((stage) => lstatSync(join(root, stage), { throwIfNoEntry: false }) !== undefined);
}

/** Deletes whatever an unfinished transaction staged; `false` where there was none. */
export function clearStage(root: string, areas: readonly Area[]): boolean {
  return inAreas(root, areas, (base) => {
    const found = existsSync(`${base}/stage`);
    rmSync(`${base}/stage`, { recursive: true, force: true });
    return found;
  });
}

/** Deletes the undo folders of the transactions that `drop` says so of. */
export function clearUndo(
  root: string,
  areas: readonly Area[],
  drop: (transaction: number) => boolean,
): void {
  inAreas(root, areas, (base) => {
    const undo = `${base}/undo`;
    if (lstatSync(undo, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
    const names = readdirSync(undo).filter((name) => /^\d+$/.test(name) && drop(Number(name)));
    for (const name of names) rmSync(`${undo}/${name}`, { recursive: true, force: true });
    return names.length > 0;
  });
}

/** The root's own area last. What is in other hands is not icepkg's, and left alone. */
function inAreas(root: string, areas: readonly Area[], act: (base: string) => boolean): boolean {
  const directories = openDirectories(root);
  let acted = false;
  try {
    for (const area of areas.toReversed()) {
      const base = ownFolder(directories, area);
      if (base !== undefined && act(base)) acted = true;
    }
    return acted;
  } finally {
    directories.close();
  }
}

/**
 * A path to the folder of an area, good until the next is asked for, or `undefined` where it is not there or in other
 * hands. Whose the state is was looked at when the store was opened.
 */
function ownFolder(directories: Directories, { base }: Area): string | undefined {
  let real: string | undefined;
  try {
    real = directories.at(`${base}/stage`)?.replace(/\/stage$/, '');
  } catch (error) {
    // A file system of another user, whom even root cannot look over the shoulder.
    if (!isErrno(error, 'EACCES')) throw error;
  }
  if (real === undefined || base === STATE_DIRECTORY) return real;
  const { mode, uid } = lstatSync(`${real}/.`);
  return uid === process.geteuid?.() && (mode & 0o022) === 0 ? real : undefined;
}

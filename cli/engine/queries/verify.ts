/** Compares the disk with the store. */
import { readlinkSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { isOperatorsChoice } from '../declared/choices.ts';
import type { OwnedFile } from '../store/model.ts';
import { hashFile } from './hash-file.ts';
import { lstatInside, resolveInside } from './inside.ts';
import { readStore } from './read-store.ts';

export interface FileProblem {
  readonly path: string;
  readonly package: string;
  readonly problem: string;
}

export interface VerifyReport {
  readonly packages: number;
  readonly files: number;
  readonly problems: readonly FileProblem[];
  /** Configuration files that were changed, which is their purpose. */
  readonly changedConfig: readonly FileProblem[];
  /** Files whose content only root may read. */
  readonly unread: readonly FileProblem[];
  /** Paths that were recorded to be without their owner or kind when they were installed. */
  readonly deviations: number;
}

/** @throws IcepkgError `not-found` naming what is not installed */
export function verify(root: string, names: readonly string[]): VerifyReport {
  const { owned, packages } = readStore(root, (store) => {
    for (const name of names) {
      if (store.installedPackage(name) === undefined)
        throw new IcepkgError('not-found', `${name} is not installed`, {
          hint: 'See what is: icepkg list',
        });
    }
    return names.length === 0
      ? { owned: store.allFiles(), packages: store.installedPackages().length }
      : { owned: names.flatMap((name) => store.filesOf(name)), packages: names.length };
  });
  const problems: FileProblem[] = [];
  const changedConfig: FileProblem[] = [];
  const unread: FileProblem[] = [];
  const folders = new Map<string, boolean>();
  for (const file of owned) {
    const problem = inPlace(root, file, folders)
      ? compare(root, file)
      : 'a folder on the way to it became a symlink';
    if (problem === undefined) continue;
    const config = file.config === true && problem === CHANGED;
    const list = problem === UNREADABLE ? unread : config ? changedConfig : problems;
    list.push({ path: file.path, package: file.package, problem });
  }
  const deviations = owned.filter((file) => file.deviation !== undefined && !isOperatorsChoice(file)).length;
  return { packages, files: owned.length, problems, changedConfig, unread, deviations };
}

export const verifyError = (report: VerifyReport): IcepkgError =>
  new IcepkgError('verify-failed', `not as installed: ${report.problems.length} of ${report.files} files`, {
    hint: 'Mend them: icepkg reinstall PACKAGE',
    data: { problems: report.problems, changedConfig: report.changedConfig },
  });

const CHANGED = 'the content was changed';
const UNREADABLE = 'only root may read it';

function inPlace(root: string, file: OwnedFile, folders: Map<string, boolean>): boolean {
  const folder = dirname(file.path);
  if (folder === '.') return true;
  const known = folders.get(folder);
  if (known !== undefined) return known;
  const real = resolveInside(root, `${folder}/x`) === `${folder}/x`;
  folders.set(folder, real);
  return real;
}

function typeOf(stats: Stats): OwnedFile['type'] | 'socket' {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'character-device';
  if (stats.isBlockDevice()) return 'block-device';
  return stats.isFIFO() ? 'fifo' : 'socket';
}

function compare(root: string, file: OwnedFile): string | undefined {
  const stats = lstatInside(root, file.path);
  const isChoice = isOperatorsChoice(file);
  // What could not be made without rights is recorded as a deviation and reported then.
  if (stats === undefined)
    return isChoice || file.deviation?.endsWith('not made') === true ? undefined : 'it is missing';
  if (isChoice) return undefined;
  const expected = file.type === 'hardlink' ? 'file' : file.type;
  const type = typeOf(stats);
  if (type !== expected) return `it is a ${type}, not a ${expected}`;
  const exact = file.deviation === undefined;
  if (type === 'symlink') {
    const target = readlinkSync(join(root, file.path));
    return target === file.target ? undefined : `it points to ${target}, not to ${file.target ?? ''}`;
  }
  // What is mounted there has a mode and an owner of its own.
  if (type === 'directory' && isMountPoint(root, file.path, stats)) return undefined;
  if (exact && (stats.mode & 0o7777) !== file.mode)
    return `its mode is ${octal(stats.mode & 0o7777)}, not ${octal(file.mode)}`;
  if (exact && (stats.uid !== file.uid || stats.gid !== file.gid))
    return `its owner is ${stats.uid}:${stats.gid}, not ${file.uid}:${file.gid}`;
  if (type !== 'file' || file.sha256 === undefined) return undefined;
  if (file.type === 'file' && file.edited === undefined && stats.size !== file.size) return CHANGED;
  return sameContent(join(root, file.path), file.edited ?? file.sha256);
}

const isMountPoint = (root: string, path: string, { dev }: Stats): boolean =>
  lstatInside(root, dirname(path))?.dev !== dev;

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

function sameContent(path: string, sha256: string): string | undefined {
  try {
    return hashFile(path) === sha256 ? undefined : CHANGED;
  } catch (error) {
    if (isErrno(error, 'EACCES', 'EPERM')) return UNREADABLE;
    if (isErrno(error, 'EIO')) return 'the disk cannot read it';
    throw error;
  }
}

/** Builds in the cache: a folder each, named by its key, with the package files and what they are. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { makeFolder } from '#engine/make-folder';
import { sha256 } from '#schema/digest';
import { isErrno } from '#schema/error';
import type { BuiltPackage } from './assemble.ts';
import { sha256File } from './sources/cache.ts';

const RESULT_FILE = 'built.json';
const TESTED_FILE = 'tested';

export const buildFolder = (cacheFolder: string, key: string): string =>
  path.join(cacheFolder, 'builds', key);

export function readResult(folder: string): BuiltPackage[] {
  return JSON.parse(fs.readFileSync(path.join(folder, RESULT_FILE), 'utf8')) as BuiltPackage[];
}

export function writeResult(folder: string, packages: readonly BuiltPackage[]): void {
  fs.writeFileSync(path.join(folder, RESULT_FILE), JSON.stringify(packages));
}

/** True where the cache holds the packages of a build, undamaged. */
export function isBuilt(folder: string): boolean {
  try {
    return readResult(folder).every(({ file, sha256: sum }) => sha256File(path.join(folder, file)) === sum);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Paths of the packages; documentation has no place in a sysroot. */
export const sysrootFiles = (folder: string): string[] =>
  readResult(folder)
    .filter(({ role }) => role !== 'doc')
    .map(({ file }) => path.join(folder, file));

/**
 * What a build is to those that depend on it: the key of the first build that gave these very packages. So what
 * depends on it is not built again after a change that makes no difference.
 */
export function contribution(cacheFolder: string, key: string): string {
  const sums = readResult(buildFolder(cacheFolder, key)).map(({ file, sha256: sum }) => `${file} ${sum}`);
  const folder = path.join(cacheFolder, 'outputs');
  const file = path.join(folder, sha256(sums.join('\n')));
  makeFolder(folder);
  try {
    fs.writeFileSync(file, key, { flag: 'wx' });
    return key;
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    // Empty while another build is writing it.
    return fs.readFileSync(file, 'utf8') || key;
  }
}

/** Digest of the tests that the packages have passed. */
export function testedBy(folder: string): string | undefined {
  try {
    return fs.readFileSync(path.join(folder, TESTED_FILE), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export const markTested = (folder: string, digest: string): void =>
  fs.writeFileSync(path.join(folder, TESTED_FILE), digest);

/** Builds in the cache: a folder each, named by its key, with the package files and what they are. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isErrno } from '#schema/error';
import type { BuiltPackage } from './assemble.ts';
import type { Finding } from './lint/lint.ts';
import { sha256File } from './sources/cache.ts';

const RESULT_FILE = 'built.json';
const FINDINGS_FILE = 'findings.json';
const TESTED_FILE = 'tested';

export const buildFolder = (cacheFolder: string, key: string): string =>
  path.join(cacheFolder, 'builds', key);

export function readResult(folder: string): BuiltPackage[] {
  return JSON.parse(fs.readFileSync(path.join(folder, RESULT_FILE), 'utf8')) as BuiltPackage[];
}

export function writeResult(folder: string, packages: readonly BuiltPackage[]): void {
  fs.writeFileSync(path.join(folder, RESULT_FILE), JSON.stringify(packages));
}

/** What the linter warned of in the packages; nothing where nobody kept it. */
export function readFindings(folder: string): Finding[] {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, FINDINGS_FILE), 'utf8')) as Finding[];
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return [];
    throw error;
  }
}

export const writeFindings = (folder: string, findings: readonly Finding[]): void =>
  fs.writeFileSync(path.join(folder, FINDINGS_FILE), JSON.stringify(findings));

/** True where the cache holds the packages of a build, undamaged. */
export function isBuilt(folder: string): boolean {
  try {
    return readResult(folder).every(({ file, sha256: sum }) => sha256File(path.join(folder, file)) === sum);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return false;
    throw error;
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

/** What is kept beside a build of what went into it, so that it can be told later what changed. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isErrno } from '#schema/error';
import type { KeyDocument } from './build-key.ts';
import type { BuildNode } from './order.ts';

export interface KeyRecord {
  /** Name of the recipe. */
  readonly name: string;
  readonly arch: string;
  readonly document: KeyDocument;
  /** Names of the recipes that `document.dependencies` are the keys of, in that order. */
  readonly dependencies: readonly string[];
}

const RECORD_FILE = 'key.json';

export function writeKeyRecord(folder: string, node: BuildNode, document: KeyDocument): void {
  const record: KeyRecord = {
    name: node.recipe.name,
    arch: node.arch,
    document,
    dependencies: node.dependencies.map(({ recipe }) => recipe.name),
  };
  fs.writeFileSync(path.join(folder, RECORD_FILE), JSON.stringify(record));
}

/** `undefined` for a build that nothing was kept of. */
export function readKeyRecord(folder: string): KeyRecord | undefined {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, RECORD_FILE), 'utf8')) as KeyRecord;
  } catch (error) {
    if (error instanceof SyntaxError || isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** The newest build of a recipe for an architecture that the cache holds. */
export function lastRecord(cacheFolder: string, name: string, arch: string): KeyRecord | undefined {
  const builds = path.join(cacheFolder, 'builds');
  const keys = fs.existsSync(builds)
    ? fs.readdirSync(builds).filter((key) => /^[0-9a-f]{64}$/.test(key))
    : [];
  const found = keys.flatMap((key) => {
    const record = readKeyRecord(path.join(builds, key));
    if (record?.name !== name || record.arch !== arch) return [];
    return [{ record, time: fs.statSync(path.join(builds, key, RECORD_FILE)).mtimeMs }];
  });
  return found.toSorted((a, b) => b.time - a.time)[0]?.record;
}

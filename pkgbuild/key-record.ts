/** What is kept beside a build of what went into it, so that it can be told later what changed. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isErrno } from '#schema/error';
import type { KeyDocument } from './build-key.ts';
import type { BuildNode } from './order.ts';
import { rootLines, type RootPackage } from './root.ts';

export interface KeyRecord {
  /** Name of the recipe. */
  readonly name: string;
  readonly arch: string;
  readonly document: KeyDocument;
  /** The recipes whose packages `document.root` lists. */
  readonly root: readonly RootPart[];
}

/** What one recipe has in the root of a build. */
export interface RootPart {
  readonly recipe: string;
  /** Key of the build that the packages came out of. */
  readonly key: string;
  /** Their lines in the document. */
  readonly lines: readonly string[];
}

const RECORD_FILE = 'key.json';

export const writeKeyRecord = (folder: string, record: KeyRecord): void =>
  fs.writeFileSync(path.join(folder, RECORD_FILE), JSON.stringify(record));

/** @param root the packages in the root of the build */
export function keyRecord(node: BuildNode, document: KeyDocument, root: readonly RootPackage[]): KeyRecord {
  const parts = new Map<string, RootPart>();
  for (const one of root) {
    const { recipe, key } = one;
    const lines = [...(parts.get(recipe)?.lines ?? []), ...rootLines([one])];
    parts.set(recipe, { recipe, key, lines });
  }
  return { name: node.recipe.name, arch: node.arch, document, root: [...parts.values()] };
}

/** `undefined` for a build that nothing was kept of. */
export function readKeyRecord(folder: string): KeyRecord | undefined {
  try {
    const record = JSON.parse(fs.readFileSync(path.join(folder, RECORD_FILE), 'utf8')) as Partial<KeyRecord>;
    // Builds of other times kept other things.
    return record.root === undefined ? undefined : (record as KeyRecord);
  } catch (error) {
    if (error instanceof SyntaxError || isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

export interface KeptBuild {
  /** Name of the recipe. */
  readonly name: string;
  readonly record: KeyRecord;
  readonly folder: string;
  readonly time: number;
}

/** The newest build of a recipe for an architecture that the cache holds. */
export const lastRecord = (cacheFolder: string, name: string, arch: string): KeyRecord | undefined =>
  keptBuilds(cacheFolder).find(({ record }) => record.name === name && record.arch === arch)?.record;

/** The newest build of each recipe that the cache holds, for whatever architecture. */
export function newestBuilds(cacheFolder: string): KeptBuild[] {
  const newest = new Map<string, KeptBuild>();
  for (const one of keptBuilds(cacheFolder)) if (!newest.has(one.name)) newest.set(one.name, one);
  return [...newest.values()];
}

/** All that the cache holds, the newest first. */
function keptBuilds(cacheFolder: string): KeptBuild[] {
  const builds = path.join(cacheFolder, 'builds');
  const keys = fs.existsSync(builds)
    ? fs.readdirSync(builds).filter((key) => /^[0-9a-f]{64}$/.test(key))
    : [];
  const kept = keys.flatMap((key): KeptBuild[] => {
    const folder = path.join(builds, key);
    const record = readKeyRecord(folder);
    if (record === undefined) return [];
    const time = fs.statSync(path.join(folder, RECORD_FILE)).mtimeMs;
    return [{ name: record.name, record, folder, time }];
  });
  return kept.toSorted((a, b) => b.time - a.time);
}

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

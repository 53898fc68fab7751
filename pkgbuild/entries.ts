/** Turns what a folder holds into the entries of a package. */
import * as path from 'node:path';
import type { PackageEntry } from '#schema/container/write';
import { compileRules, type PathRule, type PathRules, type Ruled } from './path-rules.ts';
import { globToRegExp, type TreeEntry } from './tree.ts';

export interface EntrySource {
  /** Folder that `entries` are relative to. */
  readonly root: string;
  /** Sorted by path. */
  readonly entries: readonly TreeEntry[];
  readonly owners: readonly PathRule[];
  /** Patterns of configuration files. */
  readonly configFiles: readonly string[];
}

export interface Entries {
  readonly entries: PackageEntry[];
  readonly rules: PathRules;
  /** Positions of the patterns under `configFiles` that matched no file. */
  readonly idleConfig: readonly number[];
}

/** Owners are root and modes what the folder has, unless a rule says otherwise. */
export function packageEntries(source: EntrySource): Entries {
  const rules = compileRules(source.owners);
  const config = source.configFiles.map(globToRegExp);
  const usedConfig = new Set<number>();
  const names = linkedNames(source.entries);
  const isConfig = (file: string): boolean => {
    const matching = config.flatMap((pattern, index) => (pattern.test(file) ? [index] : []));
    for (const index of matching) usedConfig.add(index);
    return matching.length > 0;
  };
  const entries = source.entries.map((entry): PackageEntry => {
    const { path: name, type, inode } = entry;
    const all = inode === undefined ? [name] : (names.get(inode) ?? [name]);
    const said = rules.of(all, type);
    if (type === 'symlink') return { type, path: name, target: entry.target ?? '', ...said.owner };
    if (type === 'file') {
      if (all[0] !== name) return { type: 'hardlink', path: name, target: all[0] ?? name };
      return {
        type,
        path: name,
        ...owned(said, entry.mode),
        ...xattrsOf(said),
        content: { file: path.join(source.root, name) },
        ...(all.filter(isConfig).length > 0 ? { config: true } : {}),
      };
    }
    if (type === 'directory')
      return {
        type,
        path: name,
        ...owned(said, entry.mode),
        ...xattrsOf(said),
      };
    if (type === 'fifo') return { type, path: name, ...owned(said, entry.mode) };
    const { major, minor } = entry.device ?? { major: 0, minor: 0 };
    return { type, path: name, ...owned(said, entry.mode), major, minor };
  });
  return { entries, rules, idleConfig: config.flatMap((_, index) => (usedConfig.has(index) ? [] : [index])) };
}

/** Owner and mode in the words of a manifest. */
export const owned = (said: Ruled, mode: number): { mode: number } & Ruled['owner'] & Ruled['account'] => ({
  mode: said.mode ?? mode,
  ...said.owner,
  ...said.account,
});

export const xattrsOf = ({ xattrs }: Ruled): Pick<Ruled, 'xattrs'> =>
  xattrs === undefined ? {} : { xattrs };

/** All names of each file that has several, sorted. */
function linkedNames(entries: readonly TreeEntry[]): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const { inode, path: name } of entries) {
    if (inode === undefined) continue;
    const list = names.get(inode);
    if (list === undefined) names.set(inode, [name]);
    else list.push(name);
  }
  return names;
}

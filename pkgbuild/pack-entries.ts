/** What a manifest file adds to the entries of a folder. */
import type { PackageEntry } from '#schema/container/write';
import { comparePaths, parentPath } from '#schema/path';
import { owned, xattrsOf } from './entries.ts';
import type { PackEntry, PackManifest } from './pack-schema.ts';
import type { PathRules } from './path-rules.ts';
import type { YamlDocument } from './yaml.ts';

const DEFAULT_MODE = {
  directory: 0o755,
  fifo: 0o600,
  'character-device': 0o600,
  'block-device': 0o600,
} as const;

/**
 * Returns all entries, those of the folder among them, with the directories above what was added.
 * @throws IcepkgError `format-invalid` for a path that is taken, or a link to what is no file
 */
export function withDeclared(
  held: readonly PackageEntry[],
  document: YamlDocument<PackManifest>,
  rules: PathRules,
): PackageEntry[] {
  const entries = new Map(held.map((entry) => [entry.path, entry]));
  const declared = document.value.entries;
  for (const [index, one] of declared.entries()) {
    if (entries.has(one.path))
      throw document.refuse(['entries', index, 'path'], `${one.path} is in the package already`);
    entries.set(one.path, entryOf(one, rules));
  }
  for (const [index, one] of declared.entries()) {
    if (one.type === 'hardlink' && !link(entries, one.path, one.target))
      throw document.refuse(['entries', index, 'target'], `${one.target} is no file of the package`);
  }
  for (const one of declared) {
    for (let above = parentPath(one.path); above !== '' && !entries.has(above); above = parentPath(above))
      entries.set(above, {
        type: 'directory',
        path: above,
        ...owned(rules.of([above], 'directory'), DEFAULT_MODE.directory),
      });
  }
  return [...entries.values()].sort((a, b) => comparePaths(a.path, b.path));
}

/** Gives a file one more name. The first of its names is the file, all others link to that one. */
function link(entries: Map<string, PackageEntry>, path: string, target: string): boolean {
  const named = entries.get(target);
  const file = named?.type === 'hardlink' ? entries.get(named.target) : named;
  if (file?.type !== 'file') return false;
  const others = [...entries.values()].filter((one) => one.type === 'hardlink' && one.target === file.path);
  const [first = path, ...rest] = [...new Set([path, file.path, ...others.map((one) => one.path)])].sort(
    comparePaths,
  );
  entries.set(first, { ...file, path: first });
  for (const name of rest) entries.set(name, { type: 'hardlink', path: name, target: first });
  return true;
}

/** What the entry says of itself wins over the rules. */
function entryOf(declared: PackEntry, rules: PathRules): PackageEntry {
  const { type, path: name } = declared;
  if (type === 'hardlink') return { type, path: name, target: declared.target };
  const said = rules.of([name], type, declared);
  if (type === 'symlink') return { type, path: name, target: declared.target, ...said.owner };
  const common = { path: name, ...owned(said, DEFAULT_MODE[type]) };
  if (type === 'directory') return { type, ...common, ...xattrsOf(said) };
  if (type === 'fifo') return { type, ...common };
  return { type, ...common, major: declared.major, minor: declared.minor };
}

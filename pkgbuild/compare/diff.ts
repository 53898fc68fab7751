/** What differs between two packages: files, sizes, relations, declarations, and the symbols of libraries. */
import { isDeepStrictEqual } from 'node:util';
import type { FileEntry, Manifest } from '#schema/manifest';
import { elfDetails, exportedSymbols } from '../elf-details.ts';
import { withPackage, type PackageContent } from '../package-content.ts';

export interface PackageDiff {
  readonly old: Side;
  readonly new: Side;
  readonly files: {
    readonly added: readonly FileSummary[];
    readonly removed: readonly FileSummary[];
    readonly changed: readonly ChangedFile[];
  };
  /** Lists such as `depends`, by name; only those that differ. */
  readonly lists: Readonly<Record<string, ListDiff>>;
  /** Single values such as `license`, and what is declared such as `services`; only those that differ. */
  readonly fields: Readonly<Record<string, { readonly old?: unknown; readonly new?: unknown }>>;
  /** Libraries of the same SONAME whose exported symbols differ. */
  readonly symbols: readonly SymbolDiff[];
}

interface Side {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** Bytes of the package file. */
  readonly size: number;
  readonly installedSize: number;
}

interface FileSummary {
  readonly path: string;
  readonly type: FileEntry['type'];
  readonly size: number;
}

export interface ChangedFile {
  readonly path: string;
  readonly oldSize: number;
  readonly newSize: number;
  /** What is different, in words: `content`, `mode 0755 -> 0644`, `target a -> b`. */
  readonly changes: readonly string[];
}

interface ListDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

interface SymbolDiff extends ListDiff {
  readonly soname: string;
}

/** @throws IcepkgError where one of the files is no sound package */
export function diffPackages(oldFile: string, newFile: string): PackageDiff {
  return withPackage(oldFile, (before) => withPackage(newFile, (after) => diffContents(before, after)));
}

/** True where nothing was found that differs but the name of the version. */
export function isSame({ files, lists, fields, symbols }: PackageDiff): boolean {
  const counts = [
    files.added,
    files.removed,
    files.changed,
    symbols,
    Object.keys(lists),
    Object.keys(fields),
  ];
  return counts.every((list) => list.length === 0);
}

function diffContents(before: PackageContent, after: PackageContent): PackageDiff {
  return {
    old: side(before),
    new: side(after),
    files: diffFiles(before.manifest.files, after.manifest.files),
    lists: diffLists(before.manifest, after.manifest),
    fields: diffFields(before.manifest, after.manifest),
    symbols: diffSymbols(symbolsOf(before), symbolsOf(after)),
  };
}

const side = ({ manifest, size }: PackageContent): Side => ({
  name: manifest.name,
  version: manifest.version,
  arch: manifest.arch,
  size,
  installedSize: manifest.installedSize,
});

const sizeOf = (entry: FileEntry): number => (entry.type === 'file' ? entry.size : 0);
const summary = (entry: FileEntry): FileSummary => ({
  path: entry.path,
  type: entry.type,
  size: sizeOf(entry),
});

function diffFiles(before: readonly FileEntry[], after: readonly FileEntry[]): PackageDiff['files'] {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const kept = new Set(after.map(({ path }) => path));
  const changed: ChangedFile[] = [];
  for (const entry of after) {
    const was = old.get(entry.path);
    const changes = was === undefined ? [] : changesOf(was, entry);
    if (was !== undefined && changes.length > 0)
      changed.push({ path: entry.path, oldSize: sizeOf(was), newSize: sizeOf(entry), changes });
  }
  return {
    added: after.filter(({ path }) => !old.has(path)).map(summary),
    removed: before.filter(({ path }) => !kept.has(path)).map(summary),
    changed,
  };
}

/** Fields of an entry that follow from the rest or from how the package is cut. */
const PLACE = new Set(['path', 'frame', 'offset', 'size']);

function changesOf(before: FileEntry, after: FileEntry): string[] {
  if (before.type !== after.type) return [`${before.type} -> ${after.type}`];
  const was = new Map<string, unknown>(Object.entries(before));
  const is = new Map<string, unknown>(Object.entries(after));
  const names = [...new Set([...was.keys(), ...is.keys()])].filter((name) => !PLACE.has(name));
  return names
    .filter((name) => !isDeepStrictEqual(was.get(name), is.get(name)))
    .map((name) =>
      name === 'sha256' ? 'content' : `${name} ${shown(name, was.get(name))} -> ${shown(name, is.get(name))}`,
    );
}

function shown(name: string, value: unknown): string {
  if (value === undefined) return 'none';
  if (name === 'mode') return Number(value).toString(8).padStart(4, '0');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const LISTS = ['depends', 'recommends', 'provides', 'replaces', 'installIf'] as const;

function diffLists(before: Manifest, after: Manifest): Record<string, ListDiff> {
  const found: Record<string, ListDiff> = {};
  for (const name of LISTS) {
    const diff = listDiff(before[name] ?? [], after[name] ?? []);
    if (diff.added.length + diff.removed.length > 0) found[name] = diff;
  }
  return found;
}

function listDiff(before: readonly string[], after: readonly string[]): ListDiff {
  const old = new Set(before);
  const current = new Set(after);
  return {
    added: after.filter((item) => !old.has(item)),
    removed: before.filter((item) => !current.has(item)),
  };
}

const FIELDS = [
  'name',
  'arch',
  'description',
  'license',
  'upstreamVersion',
  'url',
  'maintainer',
  'origin',
  'providerPriority',
  'users',
  'groups',
  'alternatives',
  'services',
  'scripts',
] as const satisfies readonly (keyof Manifest)[];

function diffFields(before: Manifest, after: Manifest): PackageDiff['fields'] {
  const differing = FIELDS.filter((name) => !isDeepStrictEqual(before[name], after[name]));
  return Object.fromEntries(differing.map((name) => [name, { old: before[name], new: after[name] }]));
}

/** Exported symbols by SONAME. */
function symbolsOf(content: PackageContent): Map<string, string[]> {
  const libraries = new Map<string, string[]>();
  for (const entry of content.manifest.files) {
    if (entry.type !== 'file' || !/\.so(?:\.|$)/.test(entry.path)) continue;
    const bytes = content.read(entry);
    const soname = elfDetails(bytes)?.soname;
    if (soname !== undefined) libraries.set(soname, exportedSymbols(bytes));
  }
  return libraries;
}

function diffSymbols(
  before: ReadonlyMap<string, string[]>,
  after: ReadonlyMap<string, string[]>,
): SymbolDiff[] {
  return [...before].flatMap(([soname, symbols]) => {
    const now = after.get(soname);
    if (now === undefined) return [];
    const diff = listDiff(symbols, now);
    return diff.added.length + diff.removed.length === 0 ? [] : [{ soname, ...diff }];
  });
}

/** Brings every entry of the new packages to its real path and settles which package gets it. */
import { parseDependency } from '#schema/dependency';
import type { FileEntry, Manifest } from '#schema/manifest';
import { comparePaths } from '#schema/path';
import { parseVersion, satisfies } from '#schema/version';
import type { OwnedFile } from '../store/model.ts';
import { isReserved } from '../transaction/layout.ts';
import { openGlobs } from './glob.ts';
import type { FilePlanRequest, FileRules } from './operations.ts';
import { futureDisk, openResolver, type Resolver } from './paths.ts';

export interface Placed {
  readonly manifest: Manifest;
  readonly entry: FileEntry;
  readonly path: string;
}

export interface Places {
  /** Real path to the entry that is put there, parents before children. */
  readonly placed: ReadonlyMap<string, Placed>;
  /** Further packages that own a directory as well. */
  readonly shared: readonly Placed[];
  /** Rows of the packages that change, by path. */
  readonly old: ReadonlyMap<string, readonly OwnedFile[]>;
  readonly resolver: Resolver;
}

/** True where `taker` may take over files of `owner`. */
export function replaces(taker: Manifest, owner: string, version?: string): boolean {
  return (taker.replaces ?? []).some((text) => {
    const dependency = parseDependency(text);
    if (dependency?.kind !== 'needs') return false;
    return dependency.anyOf.some(({ name, range }) => {
      if (name !== owner) return false;
      const parsed = version === undefined ? undefined : parseVersion(version);
      return range === undefined || parsed === undefined || satisfies(parsed, range);
    });
  });
}

export function placeEntries(request: FilePlanRequest, conflicts: string[]): Places {
  const old = new Map<string, OwnedFile[]>();
  for (const { name } of request.packages) {
    for (const row of request.store.filesOf(name)) {
      const rows = old.get(row.path);
      if (rows === undefined) old.set(row.path, [row]);
      else rows.push(row);
    }
  }
  const all = request.packages
    .flatMap(({ manifest }) => (manifest === undefined ? [] : entriesOf(manifest, request)))
    .sort((a, b) => comparePaths(a.entry.path, b.entry.path));
  const resolver = resolverFor(request, old, all);
  const placed = new Map<string, Placed>();
  const shared: Placed[] = [];
  for (const { manifest, entry } of all) {
    const real = resolver.parent(entry.path);
    const path = entry.type === 'directory' ? resolver.directory(real) : real;
    if (isReserved(path, entry.type)) {
      conflicts.push(`${manifest.name} holds /${path}, which belongs to icepkg itself`);
      continue;
    }
    const next: Placed = { manifest, entry, path };
    const before = placed.get(path);
    if (before === undefined) placed.set(path, next);
    else if (before.entry.type === 'directory' && entry.type === 'directory') shared.push(next);
    else if (before.manifest.name === manifest.name) {
      conflicts.push(`${manifest.name} holds /${path} twice, through a symlink`);
    } else if (replaces(manifest, before.manifest.name, before.manifest.version)) placed.set(path, next);
    else if (!replaces(before.manifest, manifest.name, manifest.version)) {
      const both = [before.manifest.name, manifest.name].sort().join(' and ');
      conflicts.push(`/${path} is in both ${both}`);
    }
  }
  const sorted = [...placed].sort(([a], [b]) => comparePaths(a, b));
  return { placed: new Map(sorted), shared, old, resolver };
}

/** What the operator wants of a package. */
function entriesOf(
  manifest: Manifest,
  { skip = [], keep = [] }: FileRules,
): readonly Pick<Placed, 'manifest' | 'entry'>[] {
  const isSkipped = openGlobs(skip);
  const isKept = openGlobs(keep);
  return manifest.files
    .filter(({ path }) => !isSkipped(path))
    .filter((entry) => entry.type !== 'hardlink' || !isSkipped(entry.target))
    .map((entry) => ({
      manifest,
      entry: entry.type === 'file' && isKept(entry.path) ? Object.assign({}, entry, { config: true }) : entry,
    }));
}

function resolverFor(
  request: FilePlanRequest,
  old: ReadonlyMap<string, readonly OwnedFile[]>,
  all: readonly { readonly entry: FileEntry }[],
): Resolver {
  const leaving = new Set<string>();
  const changing = new Set(request.packages.map(({ name }) => name));
  for (const [path, rows] of old) {
    const stays = request.store.ownersOf(path).some((row) => !changing.has(row.package));
    if (!stays && rows.every(({ type }) => type !== 'directory')) leaving.add(path);
  }
  let symlinks = new Map<string, string>();
  // A new symlink may lie behind another new symlink, so their places are worked out twice.
  for (let round = 0; round < 2; round++) {
    const resolver = openResolver(futureDisk(request.disk, symlinks, leaving));
    const next = new Map<string, string>();
    for (const { entry } of all)
      if (entry.type === 'symlink') next.set(resolver.parent(entry.path), entry.target);
    symlinks = next;
  }
  // A file gives way to a directory of the new packages, a symlink only where its own package drops it.
  return openResolver(futureDisk(request.disk, symlinks, leaving));
}

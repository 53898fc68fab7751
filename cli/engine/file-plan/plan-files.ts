/** Works out what becomes of every path, and finds every conflict, before anything is written. */
import { openGlobs } from './glob.ts';
import { IcepkgError } from '#schema/error';
import type { FileEntry } from '#schema/manifest';
import { comparePaths, parentPath } from '#schema/path';
import type { Journal, OwnedFile } from '../store/model.ts';
import { decideConfig } from './config-decision.ts';
import type { DiskView, FilePlan, FilePlanRequest, SavedConfig, StagedEntry } from './operations.ts';
import { placeEntries, replaces, type Placed, type Places } from './places.ts';
import { rowOf } from './rows.ts';

interface Work {
  readonly request: FilePlanRequest;
  readonly places: Places;
  readonly changing: ReadonlySet<string>;
  readonly conflicts: string[];
  readonly notices: string[];
  readonly write: StagedEntry[];
  readonly save: SavedConfig[];
  readonly displace: Set<string>;
  readonly directories: Journal['directories'][number][];
  readonly deviations: Map<string, string>;
  /** Path to the package outside the transaction that loses it. */
  readonly taken: Map<string, Set<string>>;
  readonly digests: Map<string, string | undefined>;
  readonly waysChecked: Set<string>;
  readonly mayOverwrite: (path: string) => boolean;
  readonly isKept: (path: string) => boolean;
}

/** @throws IcepkgError `file-conflict` naming both sides of every conflict */
export function planFiles(request: FilePlanRequest): FilePlan {
  const conflicts: string[] = [];
  const work: Work = {
    request,
    places: placeEntries(request, conflicts),
    changing: new Set(request.packages.map(({ name }) => name)),
    conflicts,
    notices: [],
    write: [],
    save: [],
    displace: new Set(),
    directories: [],
    deviations: new Map(),
    taken: new Map(),
    digests: new Map(),
    waysChecked: new Set(),
    mayOverwrite: openGlobs(request.overwrite ?? []),
    isKept: openGlobs(request.keep ?? []),
  };
  for (const placed of work.places.placed.values()) {
    checkWay(work, placed);
    if (placed.entry.type === 'directory') planDirectory(work, placed);
    else planContent(work, placed);
  }
  const remove = planRemovals(work);
  keepClosed(work, remove);
  if (conflicts.length > 0) throw conflictError(conflicts);
  const { save, notices, directories, deviations, digests } = work;
  const displace = [...work.displace].sort((a, b) => comparePaths(b, a));
  const written = new Set(work.write.map(({ path }) => path));
  const write = work.write.map((staged) => linked(work, staged, written));
  for (const { path } of work.write) if (!digests.has(path)) digests.set(path, undefined);
  return {
    write,
    save,
    changes: { write: digests, displace, remove, directories },
    owned: ownedRows(work),
    deviations,
    notices,
  };
}

function conflictError(conflicts: readonly string[]): IcepkgError {
  const shown = conflicts.slice(0, 20);
  if (conflicts.length > shown.length) shown.push(`and ${conflicts.length - shown.length} more`);
  return new IcepkgError('file-conflict', shown.join('\n'), {
    hint: 'Remove one of the packages; a file that no package owns move away, or let it be taken with --overwrite PATH',
    data: { conflicts },
  });
}

/** Owners that the transaction does not change. */
function outsiders(work: Work, path: string): readonly OwnedFile[] {
  return work.request.store.ownersOf(path).filter((row) => !work.changing.has(row.package));
}

/** The rows of a path that say what it is: somebody may have made a directory of a file, or the other way round. */
function fitting<T extends Pick<OwnedFile, 'type'>>(
  work: Work,
  path: string,
  rows: readonly T[],
): readonly T[] {
  const isDirectory = work.request.disk.kind(path) === 'directory';
  return rows.filter(({ type }) => (type === 'directory') === isDirectory);
}

/** True where what is there belongs to changing packages alone. */
const leaves = (work: Work, path: string): boolean =>
  fitting(work, path, work.places.old.get(path) ?? []).length > 0 && outsiders(work, path).length === 0;

/** Everything above a path is, or comes to be, a directory. */
function checkWay(work: Work, { manifest, path }: Placed): void {
  for (let above = parentPath(path); above !== ''; above = parentPath(above)) {
    if (work.waysChecked.has(above)) return;
    work.waysChecked.add(above);
    const other = work.places.placed.get(above);
    if (other?.entry.type === 'directory') continue;
    if (other !== undefined) {
      work.conflicts.push(
        `${manifest.name} holds /${path}, but /${above} is a ${other.entry.type} in ${other.manifest.name}`,
      );
      continue;
    }
    const kind = work.request.disk.kind(above);
    if (kind === undefined || kind === 'directory') continue;
    if (leaves(work, above)) work.displace.add(above);
    else
      work.conflicts.push(
        `${manifest.name} holds /${path}, but /${above} is no directory: ${ownerText(work, above)}`,
      );
  }
}

/** Who owns what is in the way: packages that stay as they are, where there are any. */
function ownerText(work: Work, path: string): string {
  const others = outsiders(work, path);
  const rows = others.length > 0 ? others : fitting(work, path, work.request.store.ownersOf(path));
  const owners = rows.map((row) => row.package);
  return owners.length === 0 ? 'no package owns it' : `it belongs to ${owners.join(', ')}`;
}

function planDirectory(work: Work, placed: Placed): void {
  const { entry, manifest, path } = placed;
  if (entry.type !== 'directory') return;
  const { disk } = work.request;
  const kind = disk.kind(path);
  const owner = ownerOf(work, entry);
  if (kind === 'directory') {
    const before = work.places.old.get(path)?.find((row) => row.type === 'directory');
    const said = { mode: entry.mode, ...owner };
    const same = before?.mode === said.mode && before.uid === said.uid && before.gid === said.gid;
    const others = outsiders(work, path);
    const found = before === undefined ? others.length === 0 : before.deviation?.startsWith(KEPT);
    if (found === true && (same || before === undefined)) keepFound(work, placed, said);
    else if (before !== undefined && (!same || before.deviation !== undefined))
      work.directories.push({ path, ...said });
    else {
      // It stays as it is, so that what could not be set for the others is not set for this one either.
      const known = others.find((row) => row.deviation !== undefined)?.deviation;
      if (known !== undefined) work.deviations.set(path, known);
    }
    return;
  }
  if (kind !== undefined) {
    if (!leaves(work, path)) {
      work.conflicts.push(
        `/${path} is a directory in ${manifest.name} but no directory here: ${ownerText(work, path)}`,
      );
      return;
    }
    work.displace.add(path);
    saveChanged(work, path);
  }
  stage(work, placed, path);
  // Staged open to its owner so that it can be moved; closed once it is in place.
  if ((entry.mode & 0o700) !== 0o700) work.directories.push({ path, mode: entry.mode, ...owner });
}

/** What no package owned was made by the operator, whose owner and mode count. */
function keepFound(work: Work, { manifest, path }: Placed, said: Metadata): void {
  const found = work.request.disk.metadata(path);
  if (found === undefined) return;
  const differences = (['mode', 'uid', 'gid'] as const)
    .filter((key) => found[key] !== said[key])
    .map((key) => `${key} ${shown(key, found)}, not ${shown(key, said)}`);
  if (differences.length === 0) return;
  work.deviations.set(path, `${KEPT}: ${differences.join(', ')}`);
  if (found.mode !== said.mode)
    work.notices.push(
      `/${path} keeps its mode ${shown('mode', found)}; ${manifest.name} says ${shown('mode', said)}`,
    );
}

const KEPT = 'kept as found';

type Metadata = NonNullable<ReturnType<DiskView['metadata']>>;

const shown = (key: keyof Metadata, of: Metadata): string => of[key].toString(key === 'mode' ? 8 : 10);

function planContent(work: Work, placed: Placed): void {
  const { entry, manifest, path } = placed;
  const { disk } = work.request;
  const kind = disk.kind(path);
  if (kind === 'directory') {
    const kept = keptBelow(work, path);
    if (kept === undefined) {
      work.displace.add(path);
      stage(work, placed, path);
    } else {
      const what = kept === path ? '' : `, with /${kept} in the way`;
      work.conflicts.push(
        `/${path} is a ${entry.type} in ${manifest.name} but a directory here${what}: ${ownerText(work, kept)}`,
      );
    }
    return;
  }
  const others = outsiders(work, path);
  for (const row of others) {
    const version = work.request.store.installedPackage(row.package)?.record.version;
    if (row.type !== 'directory' && replaces(manifest, row.package, version)) {
      const set = work.taken.get(row.package);
      if (set === undefined) work.taken.set(row.package, new Set([path]));
      else set.add(path);
    } else work.conflicts.push(`/${path} of ${manifest.name} belongs to ${row.package}, which is installed`);
  }
  const rows = [...(work.places.old.get(path) ?? []), ...others];
  const isConfig =
    entry.type === 'file' && (entry.config === true || rows.some((row) => row.config === true));
  if (isConfig && (kind === 'file' || (kind === 'symlink' && !rows.some((row) => isLink(work, row))))) {
    planConfig(work, placed, rows);
    return;
  }
  if (!isConfig) saveChanged(work, path);
  if (kind !== undefined && fitting(work, path, rows).length === 0 && !work.mayOverwrite(path)) {
    work.conflicts.push(`/${path} of ${manifest.name} exists already, and no package owns it`);
    return;
  }
  stage(work, placed, path);
  if (isConfig) work.digests.set(path, entry.sha256);
}

/** True where the symlink on disk is the one that the package brought, not one that the operator put in its place. */
const isLink = ({ request }: Work, row: OwnedFile): boolean =>
  row.type === 'symlink' && row.target === request.disk.readlink(row.path);

function planConfig(work: Work, placed: Placed, rows: readonly OwnedFile[]): void {
  const { entry, path } = placed;
  if (entry.type !== 'file') return;
  const old = rows.find((row) => row.sha256 !== undefined)?.sha256;
  const onDisk = work.request.disk.sha256(path) ?? 'unreadable';
  const decision = decideConfig({ old, disk: onDisk, new: entry.sha256, kept: work.isKept(entry.path) });
  if (decision !== 'replace') {
    const deviation = rows.find((row) => row.deviation !== undefined)?.deviation;
    if (deviation !== undefined) work.deviations.set(path, deviation);
    else if (rows.length === 0) keepFound(work, placed, { mode: entry.mode, ...ownerOf(work, entry) });
  }
  switch (decision) {
    case 'keep':
      return;
    case 'replace':
      stage(work, placed, path);
      work.digests.set(path, entry.sha256);
      return;
    case 'beside':
      stageBeside(work, placed, `${path}.icepkg-new`);
      work.digests.set(`${path}.icepkg-new`, entry.sha256);
      work.notices.push(`kept /${path}, which was changed; the new one is /${path}.icepkg-new`);
  }
}

function stageBeside(work: Work, placed: Placed, path: string): void {
  const { store, disk } = work.request;
  const holder = work.places.placed.get(path)?.manifest.name ?? store.ownersOf(path)[0]?.package;
  if (holder !== undefined || disk.kind(path) === 'directory') {
    const what = holder === undefined ? 'a directory is' : `a path of ${holder} is`;
    work.conflicts.push(
      `/${placed.path} was changed, and ${what} where the one of ${placed.manifest.name} would land: /${path}`,
    );
  } else stage(work, placed, path);
}

/** The first path at or below a directory that must stay; only then it cannot give way. */
function keptBelow(work: Work, directory: string): string | undefined {
  const queue = [directory];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (!leaves(work, path)) return path;
    if (work.request.disk.kind(path) !== 'directory') continue;
    for (const name of work.request.disk.names(path)) queue.push(`${path}/${name}`);
  }
  return undefined;
}

function stage(work: Work, { manifest, entry }: Placed, path: string): void {
  const stranger = setIdStranger(work, entry);
  if (stranger !== undefined)
    work.conflicts.push(
      `/${path} of ${manifest.name} runs with the rights of ${stranger}, an account that is neither there nor declared`,
    );
  work.write.push({ package: manifest.name, entry, path, ...ownerOf(work, entry) });
}

/** Of a set-id file the account that gives its rights, where it is unknown: root's must not stand in for them. */
function setIdStranger({ request: { accounts } }: Work, entry: FileEntry): string | undefined {
  if (entry.type !== 'file') return undefined;
  const { user, group, mode } = entry;
  const uid = user === undefined || user === 'root' ? 0 : (accounts?.uid(user) ?? entry.uid);
  if ((mode & 0o4000) !== 0 && uid === undefined) return user;
  const gid = group === undefined || group === 'root' ? 0 : (accounts?.gid(group) ?? entry.gid);
  return (mode & 0o2000) !== 0 && gid === undefined ? group : undefined;
}

function ownerOf({ request }: Work, entry: FileEntry): { readonly uid: number; readonly gid: number } {
  if (entry.type === 'hardlink') return { uid: 0, gid: 0 };
  const { accounts } = request;
  const user = 'user' in entry && entry.user !== undefined ? accounts?.uid(entry.user) : undefined;
  const group = 'group' in entry && entry.group !== undefined ? accounts?.gid(entry.group) : undefined;
  return { uid: user ?? entry.uid ?? 0, gid: group ?? entry.gid ?? 0 };
}

/** The entry that says who owns a path: of a hardlink the file that it is another name of. */
const named = ({ manifest, entry }: Placed): FileEntry =>
  entry.type === 'hardlink' ? (manifest.files.find(({ path }) => path === entry.target) ?? entry) : entry;

/** Says of a hardlink where the file is that it names. */
function linked(work: Work, staged: StagedEntry, written: ReadonlySet<string>): StagedEntry {
  if (staged.entry.type !== 'hardlink') return staged;
  const path = work.places.resolver.parent(staged.entry.target);
  return { ...staged, link: { path, staged: written.has(path) } };
}

function planRemovals(work: Work): Journal['remove'] {
  const remove: { path: string; directory: boolean }[] = [];
  for (const [path, rows] of work.places.old) {
    if (work.places.placed.has(path) || outsiders(work, path).length > 0) continue;
    const directory = rows.every((row) => row.type === 'directory');
    saveChanged(work, path);
    remove.push({ path, directory });
  }
  return remove.sort((a, b) => comparePaths(b.path, a.path));
}

/** Directories that are closed to their own owner are opened for what changes in them, and closed again. */
function keepClosed(work: Work, remove: Journal['remove']): void {
  const changed = [...work.write, ...remove, ...work.save.map(({ to }) => ({ path: to }))];
  const known = new Set(work.directories.map(({ path }) => path));
  for (const parent of new Set(changed.map(({ path }) => parentPath(path)))) {
    if (parent === '' || known.has(parent) || work.request.disk.kind(parent) !== 'directory') continue;
    const found = work.request.disk.metadata(parent);
    if (found !== undefined && (found.mode & 0o700) !== 0o700)
      work.directories.push({ path: parent, ...found });
  }
}

/** A configuration file that goes, but that the operator changed, stays under another name. */
function saveChanged(work: Work, path: string): void {
  const config = work.places.old.get(path)?.find((row) => row.config === true);
  if (config === undefined || work.request.disk.kind(path) !== 'file') return;
  const digest = work.request.disk.sha256(path);
  if (digest === config.sha256) return;
  const to = freeName(work, path);
  work.save.push({ from: path, to });
  work.digests.set(to, digest);
  work.notices.push(`/${path} was changed and is kept as /${to}`);
}

/** `PATH.icepkg-save`, numbered where that is taken; beside the directory where that becomes a file. */
function freeName(work: Work, path: string): string {
  let wanted = `${path}.icepkg-save`;
  for (let above = parentPath(path); above !== ''; above = parentPath(above)) {
    const next = work.places.placed.get(above);
    if (next !== undefined && next.entry.type !== 'directory')
      wanted = `${above}.icepkg-save${path.slice(above.length)}`;
  }
  let name = wanted;
  const isTaken = (path: string): boolean =>
    work.request.disk.kind(path) !== undefined || work.digests.has(path) || work.places.placed.has(path);
  for (let count = 1; isTaken(name); count++) name = `${wanted}.${count}`;
  return name;
}

function ownedRows(work: Work): FilePlan['owned'] {
  const owned = new Map<string, Map<string, OwnedFile>>();
  for (const { name, manifest } of work.request.packages)
    if (manifest !== undefined) owned.set(name, new Map());
  for (const placed of [...work.places.placed.values(), ...work.places.shared]) {
    const rows = owned.get(placed.manifest.name);
    if (rows !== undefined && !rows.has(placed.path))
      rows.set(placed.path, rowOf(placed, ownerOf(work, named(placed))));
  }
  for (const [name, paths] of work.taken) {
    const rows = work.request.store.filesOf(name).filter(({ path }) => !paths.has(path));
    owned.set(name, new Map(rows.map((row) => [row.path, row])));
  }
  return new Map([...owned].map(([name, rows]) => [name, [...rows.values()]]));
}

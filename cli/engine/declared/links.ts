/** Alternatives in a transaction: their links become writes, removals and rows of the file plan. */
import { IcepkgError } from '#schema/error';
import type { Manifest } from '#schema/manifest';
import { comparePaths, parentPath } from '#schema/path';
import { openGlobs } from '../file-plan/glob.ts';
import type { DiskView } from '../file-plan/operations.ts';
import { futureDisk, openResolver } from '../file-plan/paths.ts';
import type { OwnedFile, StoreReader } from '../store/model.ts';
import { isReserved } from '../transaction/layout.ts';
import { best, decideLink, offersOf, type Offer } from './alternatives.ts';
import { ALTERNATIVE } from './choices.ts';
import type { RootPlan } from './plan-declared.ts';

export interface LinksRequest {
  readonly store: Pick<StoreReader, 'ownersOf' | 'filesOf'>;
  readonly disk: DiskView;
  /** Globs of paths that may be taken though no package owns what is there. */
  readonly overwrite: readonly string[];
  readonly before: ReadonlyMap<string, Manifest>;
  readonly after: ReadonlyMap<string, Manifest>;
  /** Names of the packages that change. */
  readonly changing: ReadonlySet<string>;
  /** Manifests of all other installed packages; asked for only where an alternative changes. */
  readonly unchanged: () => readonly Manifest[];
}

interface Work extends LinksRequest {
  readonly files: RootPlan;
  /** Rows by package, of those that gain or lose a link. */
  readonly owned: Map<string, readonly OwnedFile[]>;
  readonly remove: Map<string, boolean>;
  readonly write: Map<string, string | undefined>;
  readonly links: { readonly path: string; readonly target: string }[];
  readonly deviations: Map<string, string>;
  readonly conflicts: string[];
  readonly notices: string[];
}

/** @throws IcepkgError `file-conflict` naming the path and both that claim it */
export function planLinks(request: LinksRequest, files: RootPlan): RootPlan {
  const old = [...request.before.values()].flatMap(offersOf);
  const next = [...request.after.values()].flatMap(offersOf);
  if (old.length === 0 && next.length === 0) return files;
  const others = request.unchanged().flatMap(offersOf);
  const work: Work = {
    ...request,
    files,
    owned: new Map(files.owned),
    remove: new Map(files.changes.remove.map(({ path, directory }) => [path, directory])),
    write: new Map(files.changes.write),
    links: [],
    deviations: new Map(files.deviations),
    conflicts: [],
    notices: [],
  };
  const place = placer(work);
  const before = byPath([...old, ...others], place);
  const after = byPath([...next, ...others], place);
  const touched = byPath([...old, ...next], place);
  for (const path of [...touched.keys()].sort(comparePaths))
    planLink(work, path, { before: before.get(path) ?? [], after: after.get(path) ?? [] });
  if (work.conflicts.length > 0) throw conflictError(work.conflicts);
  const remove = [...work.remove].map(([path, directory]) => ({ path, directory }));
  return {
    ...files,
    owned: work.owned,
    generated: [...files.generated, ...work.links],
    deviations: work.deviations,
    notices: [...files.notices, ...work.notices],
    changes: {
      ...files.changes,
      write: work.write,
      remove: remove.sort((a, b) => comparePaths(b.path, a.path)),
    },
  };
}

function byPath(offers: readonly Offer[], place: (link: string) => string): ReadonlyMap<string, Offer[]> {
  const paths = new Map<string, Offer[]>();
  for (const offer of offers) {
    const path = place(offer.link);
    const others = paths.get(path);
    if (others === undefined) paths.set(path, [offer]);
    else others.push(offer);
  }
  return paths;
}

const conflictError = (conflicts: readonly string[]): IcepkgError =>
  new IcepkgError('file-conflict', conflicts.join('\n'), {
    hint: 'Remove one of the packages; what no package owns move away, or let it be taken with --overwrite PATH',
    data: { conflicts },
  });

/** Follows symlinked directories on the disk as it will be. */
function placer({ files, disk }: Work): (link: string) => string {
  const symlinks = new Map(
    files.write.flatMap(({ entry, path }) => (entry.type === 'symlink' ? [[path, entry.target]] : [])),
  );
  const leaving = new Set(files.changes.remove.filter((one) => !one.directory).map(({ path }) => path));
  const resolver = openResolver(futureDisk(disk, symlinks, leaving));
  return (link) => resolver.parent(link);
}

function planLink(
  work: Work,
  path: string,
  { before, after }: { readonly before: readonly Offer[]; readonly after: readonly Offer[] },
): void {
  const rows = work.store.ownersOf(path);
  const isOurs = rows.some(({ deviation }) => deviation === ALTERNATIVE);
  const first = best(after);
  const rival = ownerAfter(work, path);
  if (rival !== undefined) {
    if (first !== undefined)
      work.conflicts.push(`/${path} is an alternative of ${first.package}, but a file of ${rival}`);
    return;
  }
  if (first !== undefined && !isReachable(work, path, first)) return;
  // A file of the old version gives way; a link is looked at, because the operator may have chosen.
  const leaves = !isOurs && work.remove.get(path) === false;
  const kind = leaves ? undefined : work.disk.kind(path);
  const target = kind === 'symlink' ? work.disk.readlink(path) : undefined;
  const decision = decideLink({ before: isOurs ? before : [], after, kind, target });
  work.remove.delete(path);
  for (const row of rows) own(work, row.package, (files) => files.filter((file) => file.path !== path));
  switch (decision.action) {
    case 'conflict':
      if (kind === 'directory' || !openGlobs(work.overwrite)(path)) {
        work.conflicts.push(
          `/${path}, an alternative of ${decision.offer.package}, exists already, and no package owns it`,
        );
        return;
      }
      return link(work, path, decision.offer);
    case 'link':
      return link(work, path, decision.offer);
    case 'keep':
      if (target !== decision.offer.target)
        work.notices.push(`/${path} is kept as it was chosen; ${decision.offer.package} offers another`);
      return record(work, path, decision.offer);
    case 'remove':
      work.remove.set(path, false);
      return;
    case 'nothing':
  }
}

/** A package that owns the path after the transaction, other than as an alternative. */
function ownerAfter(work: Work, path: string): string | undefined {
  for (const [name, rows] of work.files.owned)
    if (rows.some((row) => row.path === path && row.deviation !== ALTERNATIVE)) return name;
  return work.store
    .ownersOf(path)
    .find(
      (row) =>
        row.deviation !== ALTERNATIVE &&
        !work.changing.has(row.package) &&
        !work.files.owned.has(row.package),
    )?.package;
}

/** Everything above the link is, or comes to be, a directory, and none of it is icepkg's own. */
function isReachable(work: Work, path: string, offer: Offer): boolean {
  const written = new Map(work.files.write.map((staged) => [staged.path, staged.entry.type]));
  if (isReserved(path, 'symlink')) {
    work.conflicts.push(`${offer.package} offers /${path}, which belongs to icepkg itself`);
    return false;
  }
  for (let above = parentPath(path); above !== ''; above = parentPath(above)) {
    const kind = written.get(above) ?? (work.remove.get(above) === false ? undefined : work.disk.kind(above));
    if (kind === undefined || kind === 'directory') continue;
    work.conflicts.push(`${offer.package} offers /${path}, but /${above} is no directory`);
    return false;
  }
  return true;
}

function link(work: Work, path: string, offer: Offer): void {
  work.links.push({ path, target: offer.target });
  work.write.set(path, undefined);
  record(work, path, offer);
}

function record(work: Work, path: string, offer: Offer): void {
  const row: OwnedFile = {
    path,
    package: offer.package,
    type: 'symlink',
    mode: 0o777,
    uid: 0,
    gid: 0,
    size: 0,
    target: offer.target,
    deviation: ALTERNATIVE,
  };
  work.deviations.set(path, ALTERNATIVE);
  own(work, offer.package, (files) => [...files, row]);
}

function own(work: Work, name: string, change: (rows: readonly OwnedFile[]) => readonly OwnedFile[]): void {
  // A package that goes has no rows any more.
  if (work.changing.has(name) && !work.after.has(name)) return;
  work.owned.set(name, change(work.owned.get(name) ?? work.store.filesOf(name)));
}

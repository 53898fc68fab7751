/** Packages as files. */
import { copyFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseCapability, type Dependency } from '#schema/dependency';
import { IcepkgError } from '#schema/error';
import { parseVersion, satisfies } from '#schema/version';
import { fetchPackages } from '../client/fetch-packages.ts';
import { withIndex } from '../client/load-indexes.ts';
import { namesIn } from '../client/catalogue.ts';
import { reachable, type PackageIndex } from '../client/package-index.ts';
import { requireRepositories } from '../config.ts';
import type { EngineContext } from '../context.ts';
import { makeFolder } from '../make-folder.ts';
import type { Candidate, Change, InstalledPackage, World } from '../model.ts';
import { makePlan } from '../plan.ts';
import { solveWorld } from '../solve-world.ts';
import type { StoreReader } from '../store/model.ts';
import { addToWorld, checkDependency } from '../world.ts';
import { byVersion, repositoryOf } from './available.ts';
import { readStore } from './read-store.ts';

export interface DownloadRequest {
  readonly folder: string;
  /**
   * What they need comes along: all that the root lacks, or, with `everything`, all that a root without any package
   * would need.
   */
  readonly dependencies?: 'missing' | 'everything' | undefined;
}

/**
 * Fetches the newest package for each dependency into a folder.
 * @returns the files
 * @throws IcepkgError `not-found` naming what no repository offers, `unsolvable`
 */
export async function download(
  context: EngineContext,
  texts: readonly string[],
  { folder, dependencies }: DownloadRequest,
): Promise<readonly string[]> {
  requireRepositories(context.config);
  const changes = await withIndex(context, { refresh: 'auto' }, (index) => {
    const needed = dependencies === undefined ? [] : neededChanges(context, texts, { index, dependencies });
    // What is named comes in any case, also where the root has it.
    const named = texts
      .filter(
        (text) => !needed.some(({ to }) => to !== undefined && matches(to.record, checkDependency(text))),
      )
      .map((text) => changeFor(text, index));
    return [...named, ...needed];
  });
  const fetched = await fetchPackages(context, changes);
  makeFolder(folder);
  return fetched.map((one) => {
    const path = one.change.to?.record.package.path ?? one.file;
    const file = join(folder, basename(path));
    copyFileSync(one.file, file);
    return file;
  });
}

interface Supply {
  readonly index: PackageIndex;
  readonly dependencies: 'missing' | 'everything';
}

/** What would come into the root if all this were installed. */
function neededChanges(
  context: EngineContext,
  texts: readonly string[],
  { index, dependencies }: Supply,
): readonly Change[] {
  const now = dependencies === 'everything' ? EMPTY : readStore(context.root, stateOf);
  const world = addToWorld(now.world, texts);
  const { installed, world: worldBefore } = now;
  const candidates = reachable(index, { world, installed });
  const offeredNames = (): string[] => index.names();
  const request = { world, worldBefore, candidates, installed, offeredNames, upgrade: 'none' } as const;
  const selection = solveWorld(context, request);
  const { arch } = context;
  return makePlan({
    arch,
    installed,
    selection,
    worldBefore,
    worldAfter: world,
    reinstall: new Set(),
  }).changes.filter(({ to }) => to?.source.kind === 'repository');
}

interface State {
  readonly world: World;
  readonly installed: readonly InstalledPackage[];
}

const EMPTY: State = { world: { depends: [], holds: [], pins: {} }, installed: [] };
const stateOf = (store: StoreReader): State => ({
  world: store.world(),
  installed: store.installedPackages(),
});

function changeFor(text: string, index: PackageIndex): Change {
  const dependency = checkDependency(text);
  const [best] = index
    .keyed([...namesIn([text])])
    .filter(({ record }) => matches(record, dependency))
    .toSorted((a, b) => byVersion(a.record.version, b.record.version));
  if (best === undefined) {
    throw new IcepkgError('not-found', `no repository offers ${text}`, {
      hint: `Search for it: icepkg search ${text}`,
    });
  }
  const { name, arch, version } = best.record;
  const repository = repositoryOf(best);
  return {
    action: 'install',
    name,
    arch,
    oldVersion: undefined,
    newVersion: version,
    repository,
    reason: 'requested',
    from: undefined,
    to: best,
  };
}

function matches(record: Candidate['record'], dependency: Dependency): boolean {
  if (dependency.kind === 'conflicts') return false;
  const offers = [
    { name: record.name, version: parseVersion(record.version) },
    ...(record.provides ?? []).flatMap((one) => parseCapability(one) ?? []),
  ];
  return dependency.anyOf.some(({ name, range }) =>
    offers.some(
      (offer) =>
        offer.name === name &&
        (range === undefined || (offer.version !== undefined && satisfies(offer.version, range))),
    ),
  );
}

/** Packages as files. */
import { copyFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseCapability, type Dependency } from '#schema/dependency';
import { IcepkgError } from '#schema/error';
import { parseVersion, satisfies } from '#schema/version';
import { fetchPackages } from '../client/fetch-packages.ts';
import { loadIndexes } from '../client/load-indexes.ts';
import { requireRepositories } from '../config.ts';
import type { EngineContext } from '../context.ts';
import { makeFolder } from '../make-folder.ts';
import type { Candidate, Change } from '../model.ts';
import { checkDependency } from '../world.ts';
import { byVersion, repositoryOf } from './available.ts';

/**
 * Fetches the newest package for each dependency into `folder`; the packages they need do not come along.
 * @returns the files
 * @throws IcepkgError `not-found` naming what no repository offers
 */
export async function download(
  context: EngineContext,
  texts: readonly string[],
  folder: string,
): Promise<readonly string[]> {
  requireRepositories(context.config);
  const candidates = await loadIndexes(context, { refresh: 'auto' });
  const changes = texts.map((text) => changeFor(text, candidates));
  const fetched = await fetchPackages(context, changes);
  makeFolder(folder);
  return fetched.map((one) => {
    const path = one.change.to?.record.package.path ?? one.file;
    const file = join(folder, basename(path));
    copyFileSync(one.file, file);
    return file;
  });
}

function changeFor(text: string, candidates: readonly Candidate[]): Change {
  const dependency = checkDependency(text);
  const [best] = candidates
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

/** What repositories offer beside what is installed. */
import { compareVersions, parseVersion } from '#schema/version';
import { IcepkgError } from '#schema/error';
import { openRepositoryIndex, withIndex } from '../client/load-indexes.ts';
import { PackageIndex } from '../client/package-index.ts';
import { requireRepositories } from '../config.ts';
import type { EngineContext } from '../context.ts';
import type { Candidate, InstalledPackage } from '../model.ts';
import { readStore } from './read-store.ts';

export interface ListedPackage {
  readonly package: string;
  readonly version: string;
  readonly arch: string;
  readonly repository: string | null;
  readonly requested: boolean;
  /** A newer version that a repository offers. */
  readonly available: string | null;
}

export interface FoundPackage {
  readonly package: string;
  readonly version: string;
  readonly repository: string;
  readonly description: string;
  /** The installed version. */
  readonly installed: string | null;
}

export interface UpdatedRepository {
  readonly repository: string;
  /** Null where it could not be refreshed. */
  readonly packages: number | null;
  readonly problem?: Pick<IcepkgError, 'code' | 'message' | 'hint'>;
}

export interface UpdateReport {
  readonly repositories: readonly UpdatedRepository[];
  /** As far as the repositories that answered know. */
  readonly upgradable: readonly ListedPackage[];
}

export const repositoryOf = (candidate: Candidate): string =>
  candidate.source.kind === 'repository' ? candidate.source.repository : candidate.source.kind;

/** Newest first. */
export function byVersion(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  return left === undefined || right === undefined ? 0 : compareVersions(right, left);
}

/**
 * Asks every repository for news; one that fails does not keep the others from being asked.
 * @throws IcepkgError `not-found` where none is attached
 */
export async function update(context: EngineContext): Promise<UpdateReport> {
  requireRepositories(context.config);
  const installed = readStore(context.root, (store) => store.installedPackages());
  const candidates: Candidate[] = [];
  const repositories: UpdatedRepository[] = [];
  for (const one of context.config.repositories) {
    try {
      const index = new PackageIndex([await openRepositoryIndex(context, one, 'force')]);
      candidates.push(...offeredFor(index, installed));
      repositories.push({ repository: one.name, packages: index.size });
      index.close();
    } catch (error) {
      if (!(error instanceof IcepkgError) || context.signal?.aborted === true) throw error;
      const { code, message, hint } = error;
      repositories.push({ repository: one.name, packages: null, problem: { code, message, hint } });
    }
  }
  const upgradable = listed(installed, candidates).filter((one) => one.available !== null);
  return { repositories, upgradable };
}

const offeredFor = (index: PackageIndex, installed: readonly InstalledPackage[]): readonly Candidate[] =>
  index.named(installed.map(({ record }) => record.name));

/** Names all that failed and why, with the code and the way out of the first of them; `undefined` where none did. */
export function updateError(report: UpdateReport): IcepkgError | undefined {
  const failed = report.repositories.flatMap(({ repository, problem }) =>
    problem === undefined ? [] : [{ ...problem, reason: `${repository}: ${problem.message}` }],
  );
  const [first] = failed;
  if (first === undefined) return undefined;
  const reasons = failed.map(({ reason }) => reason).join('; ');
  return new IcepkgError(first.code, `not refreshed: ${reasons}`, {
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    data: { ...report },
  });
}

export interface ListOptions {
  readonly requested: boolean;
  /** Consults the indexes. */
  readonly upgradable: boolean;
}

export async function list(context: EngineContext, options: ListOptions): Promise<readonly ListedPackage[]> {
  if (options.upgradable) requireRepositories(context.config);
  const installed = readStore(context.root, (store) => store.installedPackages());
  const candidates = options.upgradable
    ? await withIndex(context, { refresh: 'auto' }, (index) => offeredFor(index, installed))
    : [];
  return listed(installed, candidates).filter(
    (one) => (!options.requested || one.requested) && (!options.upgradable || one.available !== null),
  );
}

function listed(
  installed: readonly InstalledPackage[],
  candidates: readonly Candidate[],
): readonly ListedPackage[] {
  const newest = new Map<string, string>();
  for (const { record } of candidates) {
    const known = newest.get(record.name);
    if (known === undefined || byVersion(record.version, known) < 0) newest.set(record.name, record.version);
  }
  return installed.map(({ record, repository, requested }) => {
    const offered = newest.get(record.name);
    return {
      package: record.name,
      version: record.version,
      arch: record.arch,
      repository: repository ?? null,
      requested,
      available: offered !== undefined && byVersion(offered, record.version) < 0 ? offered : null,
    };
  });
}

/** Packages that hold every word in their name, description or provides; the newest version of each a repository. */
export async function search(
  context: EngineContext,
  words: readonly string[],
): Promise<readonly FoundPackage[]> {
  requireRepositories(context.config);
  const candidates = await withIndex(context, { refresh: 'auto' }, (index) => index.holding(words));
  const installed = readStore(context.root, (store) => store.installedPackages());
  const versions = new Map(installed.map(({ record }) => [record.name, record.version]));
  const found = new Map<string, FoundPackage>();
  for (const candidate of candidates) {
    const { record } = candidate;
    const repository = repositoryOf(candidate);
    const key = `${record.name}\n${repository}`;
    const known = found.get(key);
    if (known !== undefined && byVersion(record.version, known.version) >= 0) continue;
    found.set(key, {
      package: record.name,
      version: record.version,
      repository,
      description: record.description ?? '',
      installed: versions.get(record.name) ?? null,
    });
  }
  return [...found.values()].sort((a, b) => (a.package < b.package ? -1 : 1));
}

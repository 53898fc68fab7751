/** Everything known about a package. */
import { readHeader } from '#schema/container/read';
import { readWholeHeader } from '#schema/container/verify';
import { IcepkgError } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import type { Manifest } from '#schema/manifest';
import { recordOf } from '#schema/record';
import { withIndex } from '../client/load-indexes.ts';
import { ATTACH_HINT } from '../config.ts';
import type { EngineContext } from '../context.ts';
import { byVersion, repositoryOf } from './available.ts';
import { dependencyGraph } from './graph.ts';
import { readStore } from './read-store.ts';

export interface PackageInfo {
  readonly versions: readonly PackageVersion[];
}
export interface PackageVersion {
  readonly state: string;
  readonly record: PackageRecord;
  /** What it asks of the system besides its files; known where the package itself is at hand. */
  readonly declares?: Declared;
}
export type Declared = Pick<Manifest, 'users' | 'groups' | 'alternatives' | 'services' | 'scripts'>;

/**
 * The installed version first, then the newest that each repository offers.
 * @throws IcepkgError `not-found`
 */
export async function info(context: EngineContext, name: string): Promise<PackageInfo> {
  const installed = readStore(context.root, (store) => {
    const direct = store.installedPackage(name);
    if (direct !== undefined) return [direct];
    const all = store.installedPackages();
    const providers = dependencyGraph(all, store.world()).providers(name);
    return all.filter((one) => providers.includes(one.record.name));
  });
  const headers = readStore(context.root, (store) =>
    installed.map(({ record }) => store.headerOf(record.name)),
  );
  const names = [name, ...installed.map((one) => one.record.name)];
  const offered = new Map<string, { readonly state: string; readonly record: PackageRecord }>();
  for (const candidate of await withIndex(context, { refresh: 'auto' }, (index) => index.named(names))) {
    const repository = repositoryOf(candidate);
    const known = offered.get(repository);
    if (known !== undefined && byVersion(candidate.record.version, known.record.version) >= 0) continue;
    offered.set(repository, { state: `offered by ${repository}`, record: candidate.record });
  }
  const present = installed.map((one, index): PackageVersion => ({
    state: `installed ${one.requested ? 'as asked for' : 'as a dependency'}, from ${one.repository ?? 'a local file'}`,
    record: one.record,
    ...declaredIn(headers[index], one.record.name),
  }));
  const current = new Set(installed.map((one) => one.record.package.sha256));
  const versions = [
    ...present,
    ...[...offered.values()].filter((one) => !current.has(one.record.package.sha256)),
  ];
  if (versions.length > 0) return { versions };
  throw new IcepkgError('not-found', `no package is called ${name}`, {
    hint: context.config.repositories.length === 0 ? ATTACH_HINT : `Search for it: icepkg search ${name}`,
  });
}

/** @throws IcepkgError where the file is no package, is cut short or longer than its header says */
export function fileInfo(file: string): PackageInfo {
  const { header, size } = readWholeHeader(file);
  // Only a listing of the whole file could tell its digest; what is shown needs none.
  const record = recordOf(header, { path: file, size, sha256: '' });
  return { versions: [{ state: 'a local file', record, ...declaredIn(header.header, file) }] };
}

function declaredIn(header: Uint8Array | undefined, what: string): { readonly declares?: Declared } {
  if (header === undefined) return {};
  const { users, groups, alternatives, services, scripts } = readHeader(header, what).manifest;
  const declares = {
    ...(users === undefined ? {} : { users }),
    ...(groups === undefined ? {} : { groups }),
    ...(alternatives === undefined ? {} : { alternatives }),
    ...(services === undefined ? {} : { services }),
    ...(scripts === undefined ? {} : { scripts }),
  };
  return Object.keys(declares).length === 0 ? {} : { declares };
}

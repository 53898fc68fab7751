/** Whether an index can stand alone: which dependencies of its packages nothing in it provides. */
import type { Candidate } from '#engine/model';
import { provides } from '#engine/solver/reasons';
import { capabilityName, dependenciesOf } from '#engine/solver/universe';
import type { PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';
import { INDEXED_ARCHES } from './shards.ts';

export interface BrokenDependency {
  readonly package: string;
  readonly version: string;
  /** Of the machine; a package for every machine may be whole on one and not on the other. */
  readonly arch: string;
  readonly dependency: string;
}

/** Sorted by package. Recommendations and conditions may stay unmet. */
export function brokenDependencies(records: Iterable<PackageRecord>): BrokenDependency[] {
  const all = [...records];
  const broken: BrokenDependency[] = [];
  for (const arch of INDEXED_ARCHES) {
    const candidates = all
      .filter((record) => record.arch === arch || record.arch === 'noarch')
      .map((record): Candidate => ({ record, source: { kind: 'repository', repository: '' } }));
    const providers = providersOf(candidates);
    for (const { record } of candidates) {
      for (const dependency of dependenciesOf(record.depends)) {
        if (dependency.kind !== 'needs') continue;
        const met = dependency.anyOf.some((one) =>
          (providers.get(one.name) ?? []).some((candidate) => provides(candidate, one)),
        );
        const { name, version } = record;
        if (!met) broken.push({ package: name, version, arch, dependency: dependency.text });
      }
    }
  }
  return broken.sort((a, b) => comparePaths(a.package, b.package));
}

/** Those of `after` that were not broken before. */
export function newlyBroken(
  before: readonly BrokenDependency[],
  after: readonly BrokenDependency[],
): BrokenDependency[] {
  const text = (of: BrokenDependency): string => `${of.package} ${of.arch} ${of.dependency}`;
  const known = new Set(before.map(text));
  return after.filter((of) => !known.has(text(of)));
}

function providersOf(candidates: readonly Candidate[]): Map<string, Candidate[]> {
  const providers = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const { name, provides: capabilities = [] } = candidate.record;
    for (const of of new Set([name, ...capabilities.map(capabilityName)])) {
      const list = providers.get(of);
      if (list === undefined) providers.set(of, [candidate]);
      else list.push(candidate);
    }
  }
  return providers;
}

/** What `wanted` needs, with it: every provider of every dependency, since each client may choose another. */
export function closureOf(
  records: readonly PackageRecord[],
  wanted: readonly PackageRecord[],
): Set<PackageRecord> {
  const candidates = records.map((record): Candidate => ({
    record,
    source: { kind: 'repository', repository: '' },
  }));
  const providers = providersOf(candidates);
  const reached = new Set(wanted);
  // A set is walked in the order of insertion, what is added meanwhile included.
  for (const record of reached) {
    for (const dependency of dependenciesOf([...(record.depends ?? []), ...(record.recommends ?? [])])) {
      if (dependency.kind !== 'needs') continue;
      for (const one of dependency.anyOf)
        for (const candidate of providers.get(one.name) ?? [])
          if (provides(candidate, one)) reached.add(candidate.record);
    }
  }
  return reached;
}

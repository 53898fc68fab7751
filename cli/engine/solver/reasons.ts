/** Says of every chosen package why it is there. */
import type { Requirement } from '#schema/dependency';
import { parseVersion } from '#schema/version';
import type { Candidate, World } from '../model.ts';
import type { Selected } from './solve.ts';
import { capabilityName, dependenciesOf, offerOf } from './universe.ts';

export function reasonsOf(chosen: readonly Candidate[], world: World): readonly Selected[] {
  const sorted = [...chosen].sort((a, b) => (a.record.name < b.record.name ? -1 : 1));
  const reasons = new Map<Candidate, string>();
  const requested = new Set<Candidate>();
  const byCapability = providersOf(sorted);
  const meet = (requirements: readonly Requirement[]): readonly Candidate[] =>
    requirements.flatMap((one) =>
      (byCapability.get(one.name) ?? []).filter((candidate) => provides(candidate, one)),
    );
  for (const dependency of dependenciesOf(world.depends)) {
    if (dependency.kind !== 'needs') continue;
    for (const candidate of meet(dependency.anyOf)) {
      requested.add(candidate);
      reasons.set(candidate, 'requested');
    }
  }
  const note = (candidate: Candidate, reason: string): void => {
    if (!reasons.has(candidate)) reasons.set(candidate, reason);
  };
  for (const by of sorted) {
    for (const dependency of dependenciesOf(by.record.depends)) {
      if (dependency.kind !== 'needs') continue;
      for (const candidate of meet(dependency.anyOf)) {
        if (candidate === by) continue;
        const plain = dependency.text === candidate.record.name;
        note(candidate, `needed by ${by.record.name}${plain ? '' : ` (${dependency.text})`}`);
      }
    }
  }
  for (const { succeeded, by } of successions(sorted, world, byCapability)) {
    requested.add(by);
    reasons.set(by, `replaces ${succeeded}`);
  }
  for (const by of sorted) {
    for (const dependency of dependenciesOf(by.record.recommends)) {
      if (dependency.kind !== 'needs') continue;
      for (const candidate of meet(dependency.anyOf)) note(candidate, `recommended by ${by.record.name}`);
    }
    if (by.record.installIf !== undefined) note(by, `comes with ${by.record.installIf.join(' and ')}`);
  }
  return sorted.map((candidate) => ({
    candidate,
    reason: reasons.get(candidate) ?? 'kept',
    requested: requested.has(candidate),
  }));
}

/** Where the world asks for a name that is gone, what replaced it is there instead. */
function successions(
  chosen: readonly Candidate[],
  world: World,
  byCapability: ReadonlyMap<string, readonly Candidate[]>,
): readonly { readonly succeeded: string; readonly by: Candidate }[] {
  const names = dependenciesOf(world.depends).flatMap((one) =>
    one.kind === 'needs' ? one.anyOf.map(({ name }) => name) : [],
  );
  const gone = new Set(names.filter((name) => !byCapability.has(name)));
  return chosen.flatMap((by) =>
    dependenciesOf(by.record.replaces)
      .flatMap((one) => (one.kind === 'needs' ? one.anyOf : []))
      .filter(({ name }) => gone.has(name))
      .map(({ name }) => ({ succeeded: name, by })),
  );
}

function providersOf(candidates: readonly Candidate[]): ReadonlyMap<string, readonly Candidate[]> {
  const map = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    for (const name of offeredNames(candidate)) {
      const list = map.get(name);
      if (list === undefined) map.set(name, [candidate]);
      else list.push(candidate);
    }
  }
  return map;
}

/** The name of a package and those it provides. */
const offeredNames = ({ record }: Pick<Candidate, 'record'>): ReadonlySet<string> =>
  new Set([record.name, ...(record.provides ?? []).map(capabilityName)]);

/** True where the package is, or provides, what is required. */
export function provides(candidate: Candidate, requirement: Requirement): boolean {
  const version = parseVersion(candidate.record.version);
  return version !== undefined && offerOf({ candidate, version }, requirement) !== undefined;
}

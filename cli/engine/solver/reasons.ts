/** Says of every chosen package why it is there. */
import type { Requirement } from '#schema/dependency';
import { parseCapability } from '#schema/dependency';
import { parseVersion, satisfies } from '#schema/version';
import type { Candidate, World } from '../model.ts';
import type { Selected } from './solve.ts';
import { dependenciesOf } from './universe.ts';

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

function providersOf(candidates: readonly Candidate[]): ReadonlyMap<string, readonly Candidate[]> {
  const map = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const names = [
      candidate.record.name,
      ...(candidate.record.provides ?? []).map((text) => text.split('@', 1)[0] ?? text),
    ];
    for (const name of new Set(names)) {
      const list = map.get(name);
      if (list === undefined) map.set(name, [candidate]);
      else list.push(candidate);
    }
  }
  return map;
}

/** True where the package is, or provides, what is required. */
export function provides({ record }: Candidate, { name, range }: Requirement): boolean {
  if (record.name === name) {
    const version = parseVersion(record.version);
    if (range === undefined || (version !== undefined && satisfies(version, range))) return true;
  }
  return (record.provides ?? []).some((text) => {
    const capability = parseCapability(text);
    if (capability?.name !== name) return false;
    return range === undefined || (capability.version !== undefined && satisfies(capability.version, range));
  });
}

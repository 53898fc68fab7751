/**
 * Repositories that are there for pinned packages only (`pinnedOnly` in the configuration). Their packages may be
 * chosen where the world pins a name to them, and for what such a package needs or brings along.
 */
import type { Candidate, InstalledPackage, World } from '../model.ts';
import { capabilityName, dependenciesOf } from './universe.ts';

/** `last` is chosen only where no ordinary repository's will do, `never` not at all. */
export type Standing = 'normal' | 'last' | 'never';

export interface StandingInput {
  readonly candidates: readonly Candidate[];
  readonly installed: readonly InstalledPackage[];
  readonly pins: World['pins'];
  readonly pinnedOnly: ReadonlySet<string>;
}

export function standings(input: StandingInput): (candidate: Candidate) => Standing {
  const { installed, pins, pinnedOnly } = input;
  if (pinnedOnly.size === 0) return () => 'normal';
  const admitted = new Map(
    [...pinnedOnly].map((repository) => [repository, admittedNames(repository, input)] as const),
  );
  const there = new Map(installed.map((one) => [one.record.name, one]));
  return ({ record: { name, manifest }, source }) => {
    if (source.kind === 'file') return 'normal';
    const old = there.get(name);
    const isInstalled = old?.record.manifest.sha256 === manifest.sha256;
    const repository = isInstalled || source.kind !== 'repository' ? old?.repository : source.repository;
    if (repository === undefined || !pinnedOnly.has(repository)) return 'normal';
    if (pins[name] === repository) return 'normal';
    return admitted.get(repository)?.has(name) === true ? 'last' : 'never';
  };
}

/** The names pinned to a repository and all that its packages of those names could need from it. */
function admittedNames(repository: string, { candidates, pins }: StandingInput): ReadonlySet<string> {
  const own = candidates.filter(
    ({ source }) => source.kind === 'repository' && source.repository === repository,
  );
  const offering = new Map<string, Candidate[]>();
  const conditional = own.filter(({ record }) => (record.installIf ?? []).length > 0);
  for (const candidate of own) {
    for (const name of [candidate.record.name, ...(candidate.record.provides ?? []).map(capabilityName)]) {
      offering.set(name, [...(offering.get(name) ?? []), candidate]);
    }
  }
  const admitted = new Set<string>();
  const pending = Object.keys(pins).filter((name) => pins[name] === repository);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (admitted.has(name)) continue;
    admitted.add(name);
    for (const { record } of own) {
      if (record.name !== name) continue;
      for (const needed of [...namesIn(record.depends), ...namesIn(record.recommends)]) {
        for (const provider of offering.get(needed) ?? []) pending.push(provider.record.name);
      }
    }
    for (const { record } of conditional)
      if (namesIn(record.installIf).includes(name)) pending.push(record.name);
  }
  return admitted;
}

const namesIn = (texts: readonly string[] | undefined): readonly string[] =>
  dependenciesOf(texts).flatMap((one) => (one.kind === 'needs' ? one.anyOf.map(({ name }) => name) : []));

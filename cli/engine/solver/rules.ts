/** Turns world, holds, pins and the dependencies of packages into incompatibilities. */
import type { Dependency, Requirement } from '#schema/dependency';
import { parseCapability, parseDependency } from '#schema/dependency';
import type { World } from '../model.ts';
import type { Cause, Incompatibility } from './incompatibility.ts';
import {
  ABSENT,
  capabilityName,
  dependenciesOf,
  nameOf,
  type Choice,
  type Once,
  type Universe,
  type Variable,
} from './universe.ts';

type Context = ReadonlyMap<Variable, bigint>;

/** The terms of "the context holds and nobody in `anyOf` is there". */
function unmet(universe: Universe, context: Context, anyOf: readonly Requirement[]): Map<Variable, bigint> {
  const terms = new Map(context);
  for (const requirement of anyOf) exclude(terms, universe.providers(requirement));
  return terms;
}

function exclude(terms: Map<Variable, bigint>, masks: ReadonlyMap<Variable, bigint>): void {
  for (const [variable, mask] of masks) {
    terms.set(variable, (terms.get(variable) ?? variable.full) & ~mask & variable.full);
  }
}

/** Where a package meets its own need, a term is empty and the incompatibility can never apply. */
const possible = ({ terms }: Incompatibility): boolean => [...terms.values()].every((mask) => mask !== 0n);

function conflict(
  universe: Universe,
  context: Context,
  dependency: Dependency & { readonly kind: 'conflicts' },
  cause: Cause,
): readonly Incompatibility[] {
  const list: Incompatibility[] = [];
  for (const [variable, mask] of universe.providers(dependency.with)) {
    // A package never conflicts with what it is or provides itself.
    if (!context.has(variable)) list.push({ terms: new Map([...context, [variable, mask]]), cause });
  }
  return list;
}

export function worldRules(universe: Universe, world: World): readonly Incompatibility[] {
  const none: Context = new Map();
  const list: Incompatibility[] = [];
  // The order in which things were asked for does not matter.
  for (const text of [...new Set(world.depends)].sort()) {
    const dependency = parseDependency(text);
    if (dependency === undefined) continue;
    const cause: Cause = { kind: 'world', dependency };
    if (dependency.kind === 'conflicts') {
      list.push(...conflict(universe, none, dependency, cause));
      continue;
    }
    const terms = unmet(universe, none, dependency.anyOf);
    for (const { name, range } of dependency.anyOf) {
      if (range !== undefined) continue;
      exclude(terms, universe.successors(name));
      list.push(...partRules(universe, name));
    }
    list.push({ terms, cause });
  }
  return [...list, ...holdRules(universe, world), ...pinRules(universe, world)].filter(possible);
}

/**
 * Several packages that replace one that was asked for, and do not provide its name, are what it was split into: they
 * recommend one another.
 */
function partRules(universe: Universe, name: string): readonly Incompatibility[] {
  const parts = [...universe.successors(name)].flatMap(([variable, mask]) => {
    const choices = variable.choices.filter(({ bit }) => (mask & bit) !== 0n);
    const [first] = choices;
    const stands = choices.some(({ candidate: { record } }) =>
      record.provides?.some((text) => capabilityName(text) === name),
    );
    if (first === undefined || stands) return [];
    return [{ variable, mask, by: first.candidate, installed: choices.some((one) => one.installed) }];
  });
  return parts.flatMap((one) =>
    parts.flatMap((other): Incompatibility[] => {
      const dependency = parseDependency(other.variable.name);
      if (other === one || dependency === undefined || (one.installed && !other.installed)) return [];
      const without = other.variable.full & ~other.mask;
      return [
        {
          terms: new Map([
            [one.variable, one.mask],
            [other.variable, without],
          ]),
          cause: { kind: 'recommends', by: one.by, dependency },
        },
      ];
    }),
  );
}

function holdRules(universe: Universe, world: World): readonly Incompatibility[] {
  return [...world.holds].sort().flatMap((name) => {
    const variable = universe.variable(name);
    let held = 0n;
    for (const { installed, bit } of variable.choices) if (installed) held |= bit;
    const version = universe.installed(name)?.record.version;
    if (held === 0n || version === undefined) return [];
    return [{ terms: new Map([[variable, variable.full & ~held]]), cause: { kind: 'hold', name, version } }];
  });
}

function pinRules(universe: Universe, world: World): readonly Incompatibility[] {
  return Object.entries(world.pins)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, repository]): Incompatibility[] => {
      const variable = universe.variable(name);
      let others = 0n;
      const offers: string[] = [];
      for (const { candidate, bit } of variable.choices) {
        if (candidate.source.kind !== 'repository') continue;
        if (candidate.source.repository === repository) offers.push(nameOf(candidate));
        else others |= bit;
      }
      if (others === 0n) return [];
      return [{ terms: new Map([[variable, others]]), cause: { kind: 'pin', name, repository, offers } }];
    });
}

/**
 * What a choice needs, excludes, suggests and brings along.
 * @param stays of what is installed, false where it was just taken back; without it nothing is suggested
 */
export function choiceRules(
  universe: Universe,
  choice: Choice,
  stays: ((name: string) => boolean) | undefined,
): readonly Incompatibility[] {
  const by = choice.candidate;
  const context: Context = new Map([[choice.variable, choice.bit]]);
  const list: Incompatibility[] = [];
  for (const dependency of dependenciesOf(by.record.depends)) {
    if (dependency.kind === 'conflicts') {
      list.push(...conflict(universe, context, dependency, { kind: 'conflicts', by, dependency }));
    } else {
      const terms = unmet(universe, context, dependency.anyOf);
      list.push({ terms, cause: { kind: 'needs', by, dependency } });
    }
  }
  list.push(...contradictions(choice, context));
  if (stays !== undefined) list.push(...recommended(universe, choice, stays));
  return list.filter(possible);
}

/** Of so many, each is kept apart from all others at once; of more, only those that are chosen. */
const FEW = 64;

/**
 * A name provided with a version is there once, like a package: whoever is it says so of one variable for all. Files
 * and commands (`so:`, `cmd:`, `pc:`) are kept apart by their paths instead.
 * @param brought names whose claims are all known already; names are added
 */
export function claims(universe: Universe, choice: Choice, brought: Set<string>): readonly Incompatibility[] {
  const { record } = choice.candidate;
  const names = new Set([record.name, ...versioned(choice).map(capabilityName)]);
  return [...names].flatMap((name) => {
    const once = universe.once(name);
    if (once === undefined || brought.has(name)) return [];
    if (once.bits.size > FEW) return claim(once, name, choice.variable);
    brought.add(name);
    return [...once.bits.keys()].flatMap((provider) => claim(once, name, universe.variable(provider)));
  });
}

function claim(once: Once, name: string, variable: Variable): readonly Incompatibility[] {
  const own = once.bits.get(variable.name);
  const claiming = variable.choices.filter(
    (choice) => variable.name === name || versioned(choice).some((text) => capabilityName(text) === name),
  );
  const by = claiming[0]?.candidate;
  if (own === undefined || by === undefined) return [];
  const mask = claiming.reduce((all, { bit }) => all | bit, 0n);
  const others = once.variable.full & ~own;
  const terms = new Map([
    [variable, mask],
    [once.variable, others],
  ]);
  return [{ terms, cause: { kind: 'once', by, name } }];
}

/** Plain names that it provides with a version. */
const versioned = ({ candidate: { record } }: Choice): readonly string[] =>
  (record.provides ?? []).filter((text) => text.includes('@') && !capabilityName(text).includes(':'));

function contradictions(choice: Choice, context: Context): readonly Incompatibility[] {
  const by = choice.candidate;
  return versioned(choice)
    .filter((text) => contradictsItself(choice, text))
    .map((text) => ({ terms: context, cause: { kind: 'contradiction', by, name: capabilityName(text) } }));
}

/** True where the package provides the name in another version too, or is that other version. */
function contradictsItself({ candidate: { record }, version }: Choice, text: string): boolean {
  const own = parseCapability(text);
  return (
    (own?.name === record.name && own.version?.text !== version.text) ||
    (record.provides ?? []).some((other) => {
      const capability = parseCapability(other);
      if (capability?.version === undefined || capability.name !== own?.name) return false;
      return capability.version.text !== own.version?.text;
    })
  );
}

/** Suggestions of a package that stays as it is were answered when it came; only those that are there are kept. */
function recommended(
  universe: Universe,
  choice: Choice,
  stays: (name: string) => boolean,
): readonly Incompatibility[] {
  const context: Context = new Map([[choice.variable, choice.bit]]);
  return dependenciesOf(choice.candidate.record.recommends).flatMap((dependency) => {
    if (dependency.kind !== 'needs') return [];
    const terms = unmet(universe, context, dependency.anyOf);
    if (choice.installed) {
      const there = [...terms].some(
        ([variable, mask]) =>
          variable !== choice.variable &&
          stays(variable.name) &&
          variable.choices.some(({ installed, bit }) => installed && (mask & bit) === 0n),
      );
      if (!there) return [];
    }
    if (terms.size === 1) return [];
    return [{ terms, cause: { kind: 'recommends', by: choice.candidate, dependency } as const }];
  });
}

/** For a package with conditions: when all of them are met, it comes too. */
export function conditionalRules(universe: Universe, name: string): readonly Incompatibility[] {
  const list: Incompatibility[] = [];
  const variable = universe.variable(name);
  for (const { candidate, bit } of variable.choices) {
    const conditions = dependenciesOf(candidate.record.installIf);
    if (conditions.length === 0) continue;
    const unless = conditions.flatMap((one) =>
      one.kind === 'conflicts' ? [...universe.providers(one.with)] : [],
    );
    for (const met of combinations(universe, conditions)) {
      const terms = new Map(met);
      // Met by the package itself, a condition says nothing.
      if (terms.has(variable)) continue;
      const others = variable.choices.some(
        (other) => other.bit !== bit && sameConditions(other, candidate.record.installIf),
      );
      terms.set(variable, others ? ABSENT : variable.full & ~bit);
      const cause: Cause = { kind: 'installIf', by: candidate };
      list.push(unless.length === 0 ? { terms, cause } : { terms, cause, unless: new Map(unless) });
    }
  }
  return list;
}

const sameConditions = (other: Choice, texts: readonly string[] | undefined): boolean =>
  (other.candidate.record.installIf ?? []).join() === (texts ?? []).join();

const MAX_COMBINATIONS = 256;

/** Every way in which all that must be there is there at once, each as terms. */
function combinations(universe: Universe, conditions: readonly Dependency[]): readonly Context[] {
  let ways: Map<Variable, bigint>[] = [new Map()];
  for (const condition of conditions) {
    if (condition.kind === 'conflicts') continue;
    const next: Map<Variable, bigint>[] = [];
    const providers = condition.anyOf.flatMap((one) => Array.from(universe.providers(one)));
    for (const way of ways) {
      for (const [variable, mask] of providers) {
        const terms = new Map(way);
        terms.set(variable, (terms.get(variable) ?? variable.full) & mask);
        next.push(terms);
      }
    }
    ways = next
      .filter((terms) => [...terms.values()].every((mask) => mask !== 0n))
      .slice(0, MAX_COMBINATIONS);
  }
  return ways;
}

/** Keeps what is installed though nothing needs it, but for what is to go. */
export function orphanRules(universe: Universe, goes: (name: string) => boolean): readonly Incompatibility[] {
  const kept = universe.installedNames().filter((name) => !goes(name));
  return kept.map((name) => ({
    terms: new Map([[universe.variable(name), ABSENT]]),
    cause: { kind: 'orphan', name },
  }));
}

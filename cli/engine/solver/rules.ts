/** Turns world, holds, pins and the dependencies of packages into incompatibilities. */
import type { Dependency, Requirement } from '#schema/dependency';
import type { World } from '../model.ts';
import type { Cause, Incompatibility } from './incompatibility.ts';
import { ABSENT, dependenciesOf, nameOf, type Choice, type Universe, type Variable } from './universe.ts';

type Context = ReadonlyMap<Variable, bigint>;

/** The terms of "the context holds and nobody in `anyOf` is there". */
function unmet(universe: Universe, context: Context, anyOf: readonly Requirement[]): Map<Variable, bigint> {
  const terms = new Map(context);
  for (const requirement of anyOf) {
    for (const [variable, mask] of universe.providers(requirement)) {
      terms.set(variable, (terms.get(variable) ?? variable.full) & ~mask & variable.full);
    }
  }
  return terms;
}

/** Where a package meets its own need, a term is empty and the incompatibility can never apply. */
const possible = ({ terms }: Incompatibility): boolean => [...terms.values()].every((mask) => mask !== 0n);

function lower(
  universe: Universe,
  context: Context,
  dependency: Dependency,
  cause: (offered: readonly string[]) => Cause,
): readonly Incompatibility[] {
  if (dependency.kind === 'needs') {
    const offered = dependency.anyOf.flatMap(({ name }) => universe.offered(name));
    return [{ terms: unmet(universe, context, dependency.anyOf), cause: cause([...new Set(offered)]) }];
  }
  const list: Incompatibility[] = [];
  for (const [variable, mask] of universe.providers(dependency.with)) {
    // A package never conflicts with what it is or provides itself.
    if (context.has(variable)) continue;
    list.push({ terms: new Map([...context, [variable, mask]]), cause: cause([]) });
  }
  return list;
}

export function worldRules(universe: Universe, world: World): readonly Incompatibility[] {
  const none: Context = new Map();
  const list = dependenciesOf(world.depends).flatMap((dependency) =>
    lower(universe, none, dependency, (offered) => ({ kind: 'world', text: dependency.text, offered })),
  );
  for (const name of world.holds) {
    const variable = universe.variable(name);
    const held = variable.choices.find(({ installed }) => installed);
    if (held === undefined) continue;
    const text = held.candidate.record.version;
    list.push({
      terms: new Map([[variable, variable.full & ~held.bit]]),
      cause: { kind: 'hold', by: name, text },
    });
  }
  for (const [name, source] of Object.entries(world.pins)) {
    const variable = universe.variable(name);
    let mask = 0n;
    for (const { candidate, bit } of variable.choices) {
      if (candidate.source.kind === 'repository' && candidate.source.repository !== source) mask |= bit;
    }
    if (mask !== 0n)
      list.push({ terms: new Map([[variable, mask]]), cause: { kind: 'pin', by: name, text: source } });
  }
  return list;
}

/** What a choice needs, excludes and suggests. */
export function choiceRules(
  universe: Universe,
  choice: Choice,
  recommends: boolean,
): readonly Incompatibility[] {
  const { record } = choice.candidate;
  const by = nameOf(choice.candidate);
  const context: Context = new Map([[choice.variable, choice.bit]]);
  const list = dependenciesOf(record.depends).flatMap((dependency) =>
    lower(universe, context, dependency, (offered) =>
      dependency.kind === 'needs'
        ? { kind: 'needs', by, text: dependency.text, offered }
        : { kind: 'conflicts', by, text: dependency.text },
    ),
  );
  list.push(...exclusive(universe, choice, context));
  if (recommends) list.push(...recommended(universe, choice, context));
  return list.filter(possible);
}

/**
 * A name provided with a version is there once, like a package. Files and commands (`so:`, `cmd:`, `pc:`) are
 * kept apart by their paths instead.
 */
function exclusive(universe: Universe, choice: Choice, context: Context): readonly Incompatibility[] {
  const list: Incompatibility[] = [];
  for (const text of choice.candidate.record.provides ?? []) {
    const [name = text, version] = text.split('@', 2);
    if (version === undefined || name.includes(':')) continue;
    for (const variable of universe.providers({ name, range: undefined }).keys()) {
      if (variable === choice.variable) continue;
      const mask = variable.choices.reduce(
        (all, other) => all | (offersOnce(other, name) ? other.bit : 0n),
        0n,
      );
      if (mask === 0n) continue;
      const cause: Cause = { kind: 'exclusive', by: nameOf(choice.candidate), text: name };
      list.push({ terms: new Map([...context, [variable, mask]]), cause });
    }
  }
  return list;
}

const offersOnce = ({ candidate: { record } }: Choice, name: string): boolean =>
  record.name === name || (record.provides ?? []).some((text) => text.startsWith(`${name}@`));

/** Suggestions of a package that stays as it is were answered when it came; only those that are there are kept. */
function recommended(universe: Universe, choice: Choice, context: Context): readonly Incompatibility[] {
  const by = nameOf(choice.candidate);
  return dependenciesOf(choice.candidate.record.recommends).flatMap((dependency) => {
    if (dependency.kind !== 'needs') return [];
    const terms = unmet(universe, context, dependency.anyOf);
    if (choice.installed) {
      const there = [...terms].some(
        ([variable, mask]) =>
          variable !== choice.variable &&
          variable.choices.some(({ installed, bit }) => installed && (mask & bit) === 0n),
      );
      if (!there) return [];
    }
    return terms.size > 1
      ? [{ terms, cause: { kind: 'recommends', by, text: dependency.text } as const }]
      : [];
  });
}

/** For every package with conditions: when all of them are met, it comes too. */
export function conditionalRules(universe: Universe): readonly Incompatibility[] {
  const list: Incompatibility[] = [];
  for (const name of [...universe.conditional].sort()) {
    const variable = universe.variable(name);
    for (const { candidate, bit } of variable.choices) {
      const conditions = dependenciesOf(candidate.record.installIf);
      if (conditions.length === 0) continue;
      const cause: Cause = {
        kind: 'installIf',
        by: nameOf(candidate),
        text: conditions.map(({ text }) => text).join(' and '),
      };
      for (const met of combinations(universe, conditions)) {
        const terms = new Map(met);
        // Met by the package itself, a condition says nothing.
        if (terms.has(variable)) continue;
        const others = variable.choices.filter(
          (other) => other.bit !== bit && sameConditions(other, candidate.record.installIf),
        );
        terms.set(variable, others.length > 0 ? ABSENT : variable.full & ~bit);
        list.push({ terms, cause });
      }
    }
  }
  return list;
}

const sameConditions = (other: Choice, texts: readonly string[] | undefined): boolean =>
  (other.candidate.record.installIf ?? []).join() === (texts ?? []).join();

const MAX_COMBINATIONS = 256;

/** Every way in which all conditions are met at once, each as terms. */
function combinations(universe: Universe, conditions: readonly Dependency[]): readonly Context[] {
  let ways: Map<Variable, bigint>[] = [new Map()];
  for (const condition of conditions) {
    const next: Map<Variable, bigint>[] = [];
    if (condition.kind === 'conflicts') {
      for (const way of ways) {
        const terms = new Map(way);
        for (const [variable, mask] of universe.providers(condition.with))
          narrow(terms, variable, variable.full & ~mask);
        next.push(terms);
      }
    } else {
      const providers = condition.anyOf.flatMap((one) => Array.from(universe.providers(one)));
      for (const way of ways) {
        for (const [variable, mask] of providers) {
          const terms = new Map(way);
          narrow(terms, variable, mask);
          next.push(terms);
        }
      }
    }
    ways = next
      .filter((terms) => [...terms.values()].every((mask) => mask !== 0n))
      .slice(0, MAX_COMBINATIONS);
  }
  return ways;
}

function narrow(terms: Map<Variable, bigint>, variable: Variable, mask: bigint): void {
  terms.set(variable, (terms.get(variable) ?? variable.full) & mask);
}

/** Keeps what is installed though nothing needs it. */
export function orphanRules(universe: Universe): readonly Incompatibility[] {
  return universe.installedNames().map((name) => ({
    terms: new Map([[universe.variable(name), ABSENT]]),
    cause: { kind: 'orphan', by: name, text: name },
  }));
}

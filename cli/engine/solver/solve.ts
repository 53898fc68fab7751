/** Finds the packages that fulfil a world, or proves that there are none. `docs/solver.md` explains how. */
import type { Candidate, InstalledPackage, World } from '../model.ts';
import { Ways } from './choose.ts';
import { explain, type Explanation } from './explain.ts';
import { factsOf, isSoft, wishKey, type Incompatibility } from './incompatibility.ts';
import { reasonsOf } from './reasons.ts';
import { choiceRules, claims, conditionalRules, orphanRules, worldRules } from './rules.ts';
import { Search, type Effort } from './search.ts';
import { standings } from './standing.ts';
import { capabilityName, Universe, type Choice } from './universe.ts';

export interface SolveRequest {
  readonly arch: string;
  readonly world: World;
  /** What the world asked for until now; what it asks for no more goes where there is another way. */
  readonly worldBefore?: World;
  /** In order of repository priority. */
  readonly candidates: readonly Candidate[];
  readonly installed: readonly InstalledPackage[];
  /** Which names may move to newer versions without need. */
  readonly upgrade: 'none' | 'all' | readonly string[];
  /** Leave versions that no repository offers any more. */
  readonly preferAvailable?: boolean;
  /** Repositories that are asked only for what is pinned to them, and what that needs. */
  readonly pinnedOnly?: readonly string[];
  readonly keepOrphans: boolean;
  readonly recommends: boolean;
  /** Every name that is offered where `candidates` are not all there are, for what is said of mistyped ones. */
  readonly offeredNames?: () => Iterable<string>;
  /** Told after each search how much work it was. */
  readonly onEffort?: (effort: Effort) => void;
}

export interface Selected {
  readonly candidate: Candidate;
  readonly reason: string;
  /** True where the world names it or asks for what it provides. */
  readonly requested: boolean;
}

export type SolveOutcome =
  | { readonly solved: true; readonly selection: readonly Selected[] }
  | ({ readonly solved: false } & Explanation);

/** Pure and deterministic: the same request gives the same answer, in whatever order its lists are. */
export function solve(request: SolveRequest): SolveOutcome {
  const { world } = request;
  const universe = universeOf(request);
  const upgrades = upgradesOf(request);
  const abandoned = abandonedNames(request);
  const succeeds = ({ variable, bit }: Choice, name: string): boolean =>
    ((universe.successors(name).get(variable) ?? 0n) & bit) !== 0n;
  const preferences = { upgrades, abandoned, succeeds };
  // Neither what was just taken back nor what its successor replaces is kept as an orphan.
  const goes = (name: string): boolean =>
    abandoned.has(name) || (upgrades(name) && universe.successors(name).size > 0);
  const initial = [
    ...worldRules(universe, world),
    ...universe.unconditioned().flatMap((name) => conditionalRules(universe, name)),
    ...(request.keepOrphans ? orphanRules(universe, goes) : []),
  ];
  const named = typeof request.upgrade === 'string' ? [] : request.upgrade;
  const first = [...new Set(named)].sort().map((name) => universe.variable(name));
  const refused = new Set<string>();
  const granted = (one: Incompatibility): boolean => !isSoft(one) || !refused.has(wishKey(one));
  // What is only wished for is given up as far as a proof of failure rests on it, and the search begins anew.
  for (;;) {
    const search = new Search({
      initial: initial.filter(granted),
      first,
      of: rulesOfChoices(universe, request.recommends ? (name) => !abandoned.has(name) : undefined, granted),
      waysOf: (need) => new Ways(preferences, need),
    });
    const outcome = search.run();
    request.onEffort?.(search.effort);
    if (outcome.found) {
      const chosen = outcome.chosen.map(({ candidate }) => candidate);
      return { solved: true, selection: reasonsOf(chosen, world) };
    }
    const soft = [...factsOf(outcome.proof)].filter(isSoft);
    if (soft.length === 0) return { solved: false, ...explain(outcome.proof, universe) };
    for (const one of soft) refused.add(wishKey(one));
  }
}

function universeOf({ arch, candidates, installed, world, ...request }: SolveRequest): Universe {
  const known = new Set([
    ...(request.worldBefore?.depends ?? []).map(capabilityName),
    ...installed.map(({ record }) => record.name),
  ]);
  return new Universe({
    arch,
    candidates,
    installed,
    upgrades: upgradesOf(request),
    preferAvailable: request.preferAvailable ?? false,
    followed: (name) => known.has(name),
    offeredNames: request.offeredNames ?? (() => []),
    standing: standings({
      candidates,
      installed,
      pins: world.pins,
      pinnedOnly: new Set(request.pinnedOnly),
    }),
  });
}

function upgradesOf({ upgrade }: Pick<SolveRequest, 'upgrade'>): (name: string) => boolean {
  if (typeof upgrade === 'string') return () => upgrade === 'all';
  const names = new Set(upgrade);
  return (name) => names.has(name);
}

function abandonedNames({ world, worldBefore }: SolveRequest): ReadonlySet<string> {
  const now = new Set(world.depends.map(capabilityName));
  return new Set((worldBefore?.depends ?? []).map(capabilityName).filter((name) => !now.has(name)));
}

/**
 * The rules of a choice, and those of the packages that come along under a condition it could meet, each once.
 * @param stays see `choiceRules`
 */
function rulesOfChoices(
  universe: Universe,
  stays: ((name: string) => boolean) | undefined,
  granted: (one: Incompatibility) => boolean,
): (choice: Choice) => readonly Incompatibility[] {
  const brought = new Set<string>();
  const claimed = new Set<string>();
  return (choice) => {
    const { record } = choice.candidate;
    const names = new Set([record.name, ...(record.provides ?? []).map(capabilityName)]);
    const list = [...choiceRules(universe, choice, stays), ...claims(universe, choice, claimed)];
    for (const capability of names) {
      for (const name of universe.conditionalOn(capability)) {
        if (brought.has(name)) continue;
        brought.add(name);
        list.push(...conditionalRules(universe, name));
      }
    }
    return list.filter(granted);
  };
}

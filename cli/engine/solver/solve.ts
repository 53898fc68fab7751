/** Finds the packages that fulfil a world, or proves that there are none. `docs/solver.md` explains how. */
import { compareVersions } from '#schema/version';
import type { Candidate, InstalledPackage, World } from '../model.ts';
import { explain } from './explain.ts';
import { factsOf, isSoft, type Incompatibility } from './incompatibility.ts';
import { reasonsOf } from './reasons.ts';
import { choiceRules, conditionalRules, orphanRules, worldRules } from './rules.ts';
import { Search } from './search.ts';
import { Universe, type Choice } from './universe.ts';

export interface SolveRequest {
  readonly arch: string;
  readonly world: World;
  /** In order of repository priority. */
  readonly candidates: readonly Candidate[];
  readonly installed: readonly InstalledPackage[];
  /** Which names may move to newer versions without need. */
  readonly upgrade: 'none' | 'all' | readonly string[];
  /** Leave versions that no repository offers any more. */
  readonly preferAvailable?: boolean;
  readonly keepOrphans: boolean;
  readonly recommends: boolean;
}

export interface Selected {
  readonly candidate: Candidate;
  readonly reason: string;
  /** True where the world names it or asks for what it provides. */
  readonly requested: boolean;
}

export type SolveOutcome =
  | { readonly solved: true; readonly selection: readonly Selected[] }
  | { readonly solved: false; readonly explanation: readonly string[] };

/** Pure and deterministic: the same request gives the same answer. */
export function solve(request: SolveRequest): SolveOutcome {
  const { upgrade, world } = request;
  const upgrades = (name: string): boolean =>
    upgrade === 'all' || (upgrade !== 'none' && upgrade.includes(name));
  const universe = new Universe({
    arch: request.arch,
    candidates: request.candidates,
    installed: request.installed,
    upgrades,
    preferAvailable: request.preferAvailable ?? false,
  });
  const wishes = [...conditionalRules(universe), ...(request.keepOrphans ? orphanRules(universe) : [])];
  const initial = [...worldRules(universe, world), ...wishes];
  const refused = new Set<string>();
  const granted = (one: Incompatibility): boolean => !isSoft(one) || !refused.has(keyOf(one));
  // What is only wished for is given up as far as a proof of failure rests on it, and the search begins anew.
  for (;;) {
    const search = new Search({
      initial: initial.filter(granted),
      of: (choice) => choiceRules(universe, choice, request.recommends).filter(granted),
      compare: compareProviders,
    });
    const outcome = search.run();
    if (outcome.found) {
      const chosen = outcome.chosen.map(({ candidate }) => candidate);
      return { solved: true, selection: reasonsOf(chosen, world) };
    }
    const soft = [...factsOf(outcome.proof)].filter(isSoft);
    if (soft.length === 0) return { solved: false, explanation: explain(outcome.proof) };
    for (const one of soft) refused.add(keyOf(one));
  }
}

const keyOf = ({ cause }: Incompatibility): string =>
  'by' in cause ? `${cause.kind} ${cause.by} ${cause.text}` : cause.kind;

/** Among several providers: what is installed, then the higher priority, then by name, then the newest. */
function compareProviders(a: Choice, b: Choice): number {
  return (
    Number(b.installed) - Number(a.installed) ||
    (b.candidate.record.providerPriority ?? 0) - (a.candidate.record.providerPriority ?? 0) ||
    (a.variable.name < b.variable.name ? -1 : a.variable.name > b.variable.name ? 1 : 0) ||
    compareVersions(b.version, a.version)
  );
}

/** Which of several ways to satisfy a need is taken, and when the choice is left to a person. */
import type { Requirement } from '#schema/dependency';
import { compareVersions } from '#schema/version';
import type { Incompatibility } from './incompatibility.ts';
import { ABSENT, offerOf, type Choice, type Offer, type Variable } from './universe.ts';

/** The choice to try; or the virtual name and its providers in order of name, of which none is preferable. */
export type Decision =
  { readonly choice: Choice } | { readonly name: string; readonly providers: readonly Choice[] };

export interface Preferences {
  readonly upgrades: (name: string) => boolean;
  /** Names that the world asked for until now: where there is another way, they go. */
  readonly abandoned: ReadonlySet<string>;
  /** True where the choice takes the place of the package of this name, which no repository offers any more. */
  readonly succeeds: (choice: Choice, name: string) => boolean;
}

interface Way {
  readonly choice: Choice;
  readonly offer: Offer | undefined;
  /** Which alternative of the dependency it fulfils. */
  readonly alternative: number;
  readonly requirement: Requirement | undefined;
  /** All choices of the same name that would do. */
  readonly fits: bigint;
}

/** The ways out of one need, the best first. Which of them are open changes while the search goes on. */
export class Ways {
  /** Those before it are known to be closed. */
  from = 0;
  readonly #sorted: readonly Way[];

  constructor(preferences: Preferences, need: Incompatibility) {
    const alternatives = alternativesOf(need);
    const ways: Way[] = [];
    for (const [variable, mask] of need.terms) {
      // What leaving the name out would not satisfy is the one that needs.
      if ((mask & ABSENT) === 0n) continue;
      const fits = variable.full & ~mask;
      for (const choice of variable.choices)
        if ((choice.bit & fits) !== 0n) ways.push({ ...wayOf(choice, alternatives), fits });
    }
    this.#sorted = ways.sort(comparison(preferences));
  }

  /** What to try, of what is left; `undefined` where nothing is. @param allows what is left of each variable */
  decide(allows: (variable: Variable) => bigint): Decision | undefined {
    const isOpen = ({ choice, fits }: Way): boolean => isPreferred(choice, allows(choice.variable) & fits);
    while (this.#isClosed(this.#sorted[this.from], allows)) this.from += 1;
    let at = this.from;
    while (at < this.#sorted.length && !isOpen(this.#sorted[at] as Way)) at += 1;
    const best = this.#sorted[at];
    if (best === undefined) return undefined;
    if (!isUnranked(best)) return { choice: best.choice };
    const rivals = this.#sorted
      .slice(at)
      .filter((way) => way.alternative === best.alternative && isOpen(way));
    const name = best.requirement?.name;
    if (name !== undefined && rivals.length > 1 && rivals.every(isUnranked)) {
      const providers = rivals.map(({ choice }) => choice);
      return { name, providers: providers.sort((a, b) => compareNames(a.variable.name, b.variable.name)) };
    }
    return { choice: best.choice };
  }

  #isClosed(way: Way | undefined, allows: (variable: Variable) => bigint): boolean {
    return way !== undefined && (allows(way.choice.variable) & way.choice.bit) === 0n;
  }
}

/** True for the first choice of those left; bits are in the order of preference. */
const isPreferred = ({ bit }: Choice, left: bigint): boolean =>
  (left & bit) !== 0n && (left & (bit - 1n)) === 0n;

function comparison({ upgrades, abandoned, succeeds }: Preferences): (a: Way, b: Way) => number {
  const isSettled = ({ choice }: Way): boolean =>
    choice.installed && !upgrades(choice.variable.name) && !abandoned.has(choice.variable.name);
  const takesOver = ({ choice, offer, requirement }: Way): boolean =>
    !choice.installed &&
    (offer === undefined ||
      (requirement !== undefined && upgrades(requirement.name) && succeeds(choice, requirement.name)));
  const swaps = (way: Way): boolean => way.requirement !== undefined && upgrades(way.requirement.name);
  return (a, b) =>
    Number(isSettled(b)) - Number(isSettled(a)) ||
    Number(takesOver(b)) - Number(takesOver(a)) ||
    a.alternative - b.alternative ||
    (swaps(a) && !isPrefixed(a) ? compareOffers(b.offer, a.offer) : 0) ||
    Number(b.offer?.own === true) - Number(a.offer?.own === true) ||
    priority(b) - priority(a) ||
    Number(abandoned.has(a.choice.variable.name)) - Number(abandoned.has(b.choice.variable.name)) ||
    Number(b.choice.installed) - Number(a.choice.installed) ||
    compareOffers(b.offer, a.offer) ||
    compareNames(a.choice.variable.name, b.choice.variable.name) ||
    (a.choice.bit < b.choice.bit ? -1 : 1);
}

const compareNames = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

function wayOf(choice: Choice, alternatives: readonly Requirement[]): Omit<Way, 'fits'> {
  for (const [alternative, requirement] of alternatives.entries()) {
    const offer = offerOf(choice, requirement);
    if (offer !== undefined) return { choice, offer, alternative, requirement };
  }
  return { choice, offer: undefined, alternative: alternatives.length, requirement: undefined };
}

function alternativesOf({ cause }: Incompatibility): readonly Requirement[] {
  if (cause.kind !== 'world' && cause.kind !== 'needs' && cause.kind !== 'recommends') return [];
  return cause.dependency.kind === 'needs' ? cause.dependency.anyOf : [];
}

const priority = ({ choice }: Way): number => choice.candidate.record.providerPriority ?? 0;

/** Names with a prefix (`so:`, `cmd:`, `pc:`) are found in files: who provides them is no matter of taste. */
const isPrefixed = ({ requirement }: Way): boolean => requirement?.name.includes(':') === true;

/** A virtual name says nothing of which provider to take, unless one is there already or has a priority. */
const isUnranked = (way: Way): boolean =>
  way.offer !== undefined &&
  !way.offer.own &&
  way.offer.version === undefined &&
  !isPrefixed(way) &&
  !way.choice.installed &&
  priority(way) === 0;

/** The package's own version counts as that of its name; no version at all comes last. */
function compareOffers(a: Offer | undefined, b: Offer | undefined): number {
  if (a?.version === undefined || b?.version === undefined)
    return Number(a?.version !== undefined) - Number(b?.version !== undefined);
  return compareVersions(a.version, b.version);
}

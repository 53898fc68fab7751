/** Which of several ways to satisfy a need is taken, and when the choice is left to a person. */
import type { Requirement } from '#schema/dependency';
import { compareVersions } from '#schema/version';
import type { Incompatibility } from './incompatibility.ts';
import { offerOf, type Choice, type Offer } from './universe.ts';

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
}

export function choose(
  { upgrades, abandoned, succeeds }: Preferences,
  ways: readonly Choice[],
  need: Incompatibility,
): Decision | undefined {
  const isSettled = ({ choice }: Way): boolean =>
    choice.installed && !upgrades(choice.variable.name) && !abandoned.has(choice.variable.name);
  const takesOver = ({ choice, offer, requirement }: Way): boolean =>
    !choice.installed &&
    (offer === undefined ||
      (requirement !== undefined && upgrades(requirement.name) && succeeds(choice, requirement.name)));
  const swaps = (way: Way): boolean => way.requirement !== undefined && upgrades(way.requirement.name);
  const compare = (a: Way, b: Way): number =>
    Number(isSettled(b)) - Number(isSettled(a)) ||
    Number(takesOver(b)) - Number(takesOver(a)) ||
    a.alternative - b.alternative ||
    (swaps(a) && !isPrefixed(a) ? compareOffers(b.offer, a.offer) : 0) ||
    Number(b.offer?.own === true) - Number(a.offer?.own === true) ||
    priority(b) - priority(a) ||
    Number(abandoned.has(a.choice.variable.name)) - Number(abandoned.has(b.choice.variable.name)) ||
    Number(b.choice.installed) - Number(a.choice.installed) ||
    compareOffers(b.offer, a.offer) ||
    (a.choice.variable.name < b.choice.variable.name ? -1 : 1);
  const known = ways.map((choice) => wayOf(choice, need));
  const [first, ...others] = known;
  if (first === undefined) return undefined;
  const best = others.reduce((least, way) => (compare(way, least) < 0 ? way : least), first);
  if (!isUnranked(best)) return { choice: best.choice };
  const rivals = known.filter((way) => way.alternative === best.alternative);
  const name = best.requirement?.name;
  if (name !== undefined && rivals.length > 1 && rivals.every(isUnranked)) {
    const providers = rivals.map(({ choice }) => choice);
    return { name, providers: providers.sort((a, b) => (a.variable.name < b.variable.name ? -1 : 1)) };
  }
  return { choice: best.choice };
}

/** Needs are looked at again and again while one way out after the other is given up. */
const knownWays = new WeakMap<Incompatibility, Map<Choice, Way>>();

function wayOf(choice: Choice, need: Incompatibility): Way {
  const ways = knownWays.get(need) ?? new Map<Choice, Way>();
  knownWays.set(need, ways);
  const known = ways.get(choice);
  if (known !== undefined) return known;
  const way = findWay(choice, alternativesOf(need));
  ways.set(choice, way);
  return way;
}

function findWay(choice: Choice, alternatives: readonly Requirement[]): Way {
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

/** Tells in sentences why there is no answer, and what would help. */
import type { Dependency, Requirement } from '#schema/dependency';
import { factsOf, type Cause, type Incompatibility } from './incompatibility.ts';
import { nearest } from '#schema/nearest';
import { nameOf, offerOf, type Universe } from './universe.ts';

export interface Explanation {
  /** One sentence a fact, what was asked for first; together they contradict one another. The middle of many is left out. */
  readonly explanation: readonly string[];
  /** What to do about it. */
  readonly hint: string;
}

interface Line {
  readonly text: string;
  readonly hint: string | undefined;
}

/** What was asked for comes first, wishes last. */
const RANKS: Readonly<Record<Cause['kind'], number>> = {
  world: 0,
  needs: 1,
  recommends: 1,
  conflicts: 2,
  once: 2,
  contradiction: 2,
  hold: 3,
  pin: 3,
  ambiguous: 4,
  installIf: 5,
  orphan: 5,
  derived: 6,
};

/** Of a long proof, only so many sentences from its start and its end are put together: they can be thousands. */
const FIRST = 30;
const LAST = 10;

export function explain(proof: Incompatibility, universe: Universe): Explanation {
  const causes = [...factsOf(proof)].map(({ cause }) => cause);
  const unclear = new Set(causes.flatMap((cause) => (cause.kind === 'ambiguous' ? [cause.need.cause] : [])));
  const claimants = claimantsOf(causes);
  const first = new Set([...claimants.values()].map(([cause]) => cause));
  const told = causes.filter(
    (cause) => cause.kind !== 'derived' && !unclear.has(cause) && (cause.kind !== 'once' || first.has(cause)),
  );
  told.sort((one, other) => RANKS[one.kind] - RANKS[other.kind]);
  const left = told.length - FIRST - LAST;
  const cut = left > 1 ? [told.slice(0, FIRST), told.slice(-LAST)] : [told];
  const [start, end] = cut.map((part) => part.flatMap((cause) => lineOf(cause, universe, claimants) ?? []));
  const more = left > 1 ? [line(`(${left} more reasons)`)] : [];
  const lines = new Map([...(start ?? []), ...more, ...(end ?? [])].map((one) => [one.text, one] as const));
  const sorted = [...lines.values()];
  const hints = new Set(sorted.flatMap(({ hint }) => hint ?? []));
  return {
    explanation: sorted.map(({ text }) => text),
    hint: hints.size > 0 ? [...hints].join('; or ') : hintFor(causes),
  };
}

type Claim = Extract<Cause, { readonly kind: 'once' }>;
type Claimants = ReadonlyMap<string, readonly Claim[]>;

/** Those that cannot all be there, for each name: they are told in one sentence. */
function claimantsOf(causes: readonly Cause[]): Claimants {
  const claimants = new Map<string, Claim[]>();
  for (const cause of causes) {
    if (cause.kind !== 'once') continue;
    const known = claimants.get(cause.name);
    if (known === undefined) claimants.set(cause.name, [cause]);
    else known.push(cause);
  }
  return claimants;
}

function claimText(name: string, claims: readonly Claim[]): string {
  const names = [...new Set(claims.map(({ by }) => by.record.name))].sort();
  const more = names.length > SHOWN ? [`${names.length - SHOWN} more`] : [];
  const shown = [...names.slice(0, SHOWN), ...more];
  const last = shown.pop() ?? name;
  const verb = names.length === 1 ? 'is' : names.length === 2 ? 'are both' : 'are all';
  const who = shown.length === 0 ? last : `${shown.join(', ')} and ${last}`;
  return `${who} ${verb} ${name}, of which there can be only one`;
}

/** What contradicts itself is either asked for less strictly, or one of it is given up. */
function hintFor(causes: readonly Cause[]): string {
  const asked = causes.flatMap((cause) =>
    cause.kind === 'world' && cause.dependency.kind === 'needs' ? [cause.dependency.text] : [],
  );
  if (asked.length > 1) return `leave one of them out: ${asked.sort().join(', ')}`;
  return 'ask for another package or another version; see what is offered: icepkg search NAME';
}

function lineOf(cause: Cause, universe: Universe, claimants: Claimants): Line | undefined {
  switch (cause.kind) {
    case 'world': {
      const { text, kind } = cause.dependency;
      if (kind === 'conflicts') {
        return line(
          `${text.slice(1)} is refused (${text})`,
          `leave "${text}" out; or, where it was asked for before, take it back: icepkg remove "${text}"`,
        );
      }
      return withSupply(0, `${text} is asked for`, cause.dependency, universe);
    }
    case 'needs':
      return withSupply(1, `${nameOf(cause.by)} needs ${cause.dependency.text}`, cause.dependency, universe);
    case 'recommends':
      return withSupply(
        1,
        `${nameOf(cause.by)} recommends ${cause.dependency.text}`,
        cause.dependency,
        universe,
      );
    case 'conflicts':
      return line(`${nameOf(cause.by)} conflicts with ${cause.dependency.text.slice(1)}`);
    case 'once':
      return line(claimText(cause.name, claimants.get(cause.name) ?? [cause]));
    case 'contradiction':
      return line(`${nameOf(cause.by)} contradicts itself: it provides ${cause.name} in two versions`);
    case 'hold':
      return line(`${cause.name} is held at ${cause.version}`, `let it change: icepkg unhold ${cause.name}`);
    case 'pin': {
      const { name, repository, offers: versions } = cause;
      const what = versions.length === 0 ? 'does not offer it' : `offers only ${versions.join(', ')}`;
      return line(
        `${name} is pinned to ${repository}, which ${what}`,
        `let it come from elsewhere: icepkg unpin ${name}`,
      );
    }
    case 'ambiguous': {
      const who = whoNeeds(cause.need.cause);
      const names = cause.by.join(' and ');
      return line(
        `${who}, which ${names} provide: none of them is preferred`,
        `choose one: icepkg install ${cause.by.join(' or ')}`,
      );
    }
    case 'installIf':
      return line(`${nameOf(cause.by)} comes with ${(cause.by.record.installIf ?? []).join(' and ')}`);
    case 'orphan':
      return line(`${cause.name} is kept`);
    case 'derived':
      return undefined;
  }
}

const line = (text: string, hint?: string): Line => ({ text, hint });

const whoNeeds = (cause: Cause): string =>
  cause.kind === 'needs' || cause.kind === 'recommends'
    ? `${nameOf(cause.by)} needs ${cause.dependency.text}`
    : `${cause.kind === 'world' ? cause.dependency.text : 'a name'} is asked for`;

const SHOWN = 5;

/** Adds what there is of what is needed, or why there is nothing. */
function withSupply(rank: number, text: string, dependency: Dependency, universe: Universe): Line {
  if (dependency.kind !== 'needs') return line(text);
  const fitting = offers(dependency.anyOf, universe, true);
  if (fitting.length > 0) {
    const plain = fitting.length === 1 && fitting[0] === dependency.text;
    return line(plain ? text : `${text} (${listed(fitting)})`);
  }
  const others = offers(dependency.anyOf, universe, false);
  if (others.length > 0) return unfit(rank, text, dependency.anyOf, universe);
  return missing(rank, text, dependency.anyOf, universe);
}

/** There is something of that name, but in no version that fits. */
function unfit(rank: number, text: string, anyOf: readonly Requirement[], universe: Universe): Line {
  const others = offers(anyOf, universe, false);
  const name = anyOf[0]?.name ?? text;
  const hint =
    rank === 0
      ? `ask for a version that there is: icepkg info ${name}`
      : 'ask the repositories for news: icepkg update';
  const versioned = anyOf.some((one) =>
    [...universe.providers({ name: one.name, range: undefined }).keys()].some(({ choices }) =>
      choices.some((choice) => offerOf(choice, { name: one.name, range: undefined })?.version !== undefined),
    ),
  );
  if (!versioned)
    return line(
      `${text}, but ${others.join(' and ')} ${others.length === 1 ? 'provides' : 'provide'} it without a version`,
      hint,
    );
  return line(`${text}, but there is only ${listed(others).replace(/^there is /, '')}`, hint);
}

function listed(names: readonly string[]): string {
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return `there is ${names.slice(0, SHOWN).join(', ')}${more}`;
}

function offers(anyOf: readonly Requirement[], universe: Universe, fitting: boolean): readonly string[] {
  const names = new Set<string>();
  for (const requirement of anyOf) {
    const masks = universe.providers(fitting ? requirement : { name: requirement.name, range: undefined });
    for (const [variable, mask] of masks) {
      for (const { candidate, bit } of variable.choices)
        if ((mask & bit) !== 0n) names.add(nameOf(candidate));
    }
    if (fitting && requirement.range === undefined) {
      for (const variable of universe.successors(requirement.name).keys()) {
        for (const { candidate } of variable.choices) names.add(nameOf(candidate));
      }
    }
  }
  return [...names];
}

function missing(rank: number, text: string, anyOf: readonly Requirement[], universe: Universe): Line {
  for (const { name } of anyOf) {
    const [barred] = universe.barred(name);
    if (barred === undefined) continue;
    const { record, source } = barred;
    if (source.kind !== 'repository' || !universe.isMachine(barred)) {
      return line(
        `${text}, but ${nameOf(barred)} is for ${record.arch}, not for ${universe.arch}`,
        'name another package, or another machine by --arch',
      );
    }
    return line(
      `${text}, but ${source.repository} offers ${nameOf(barred)} only where it is pinned`,
      `take it from there: icepkg pin ${name} ${source.repository}`,
    );
  }
  const [first] = anyOf;
  const replacing = first === undefined ? [] : universe.replacing(first.name);
  if (first !== undefined && replacing.length > 0) {
    const names = replacing.slice(0, SHOWN);
    return line(
      `${text}, which no repository offers; ${names.join(' and ')} replace${names.length === 1 ? 's' : ''} ${first.name}`,
      `ask for ${names.length === 1 ? 'that' : 'one of them'}: icepkg install ${names.join(' or ')}`,
    );
  }
  const near = first === undefined ? undefined : nearest(first.name, universe.names());
  const meant = near === undefined ? '' : `; did you mean ${near}?`;
  return line(`${text}, which no repository offers${meant}`, whatOfMissing(rank, first?.name ?? text));
}

const whatOfMissing = (rank: number, name: string): string =>
  rank === 0
    ? `ask the repositories for news: icepkg update; search them: icepkg search ${name}`
    : `ask the repositories for news: icepkg update; or configure a repository that offers ${name}`;

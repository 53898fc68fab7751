/**
 * The search: unit propagation, decisions, and learning from conflicts. It is complete because every
 * conflict yields a new incompatibility that excludes at least the present assignment, and it is
 * deterministic because everything is visited in the order it was added.
 */
import { ABSENT, type Choice, type Variable } from './universe.ts';
import type { Decision } from './choose.ts';
import { Trail, type Assignment } from './trail.ts';
import { factsOf, isSoft, standingOf, type Incompatibility, type Terms } from './incompatibility.ts';

export interface Rules {
  /** Incompatibilities that hold whatever is chosen. */
  readonly initial: readonly Incompatibility[];
  /** Incompatibilities that matter once the choice is made. */
  readonly of: (choice: Choice) => readonly Incompatibility[];
  /** Names to decide on before any other. */
  readonly first: readonly Variable[];
  /** The best of several ways to satisfy one need. */
  readonly choose: (ways: readonly Choice[], need: Incompatibility) => Decision | undefined;
}

export type Found =
  | { readonly found: true; readonly chosen: readonly Choice[] }
  | { readonly found: false; readonly proof: Incompatibility };

interface Step {
  readonly choice: Choice;
  readonly need: Incompatibility | undefined;
}

/** Nothing is left but needs whose ways out are equal. */
interface Tie {
  readonly proof: Incompatibility;
  readonly ways: readonly Choice[];
}

type Conditional = Incompatibility & { readonly unless: Terms };

export class Search {
  readonly #rules: Rules;
  readonly #trail = new Trail();
  readonly #byVariable = new Map<Variable, Incompatibility[]>();
  readonly #all: Incompatibility[] = [];
  /** How many incompatibilities there were when each level began. */
  readonly #known: number[] = [0];
  #needs: Incompatibility[] = [];
  /** What comes along only while something is not there: looked at when all else is decided. */
  readonly #conditional: Conditional[] = [];
  readonly #expanded = new Set<Choice>();
  /** Before these, trail and needs have nothing left to expand or to decide. */
  #expandedTo = 0;
  #decidedTo = 0;
  #metTo = 0;
  /** True once rules are known of choices that are not made. */
  #revisits = false;
  #proof: Incompatibility | undefined;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  get #level(): number {
    return this.#known.length - 1;
  }

  run(): Found {
    let conflict = this.#addAll(this.#rules.initial);
    for (;;) {
      while (conflict !== undefined) {
        const added = this.#resolve(conflict);
        if (added === undefined) return { found: false, proof: this.#proof ?? conflict };
        // Going back undid conclusions of newer incompatibilities that may still hold at the earlier level.
        conflict = this.#checkAll(added);
      }
      conflict = this.#expandFixed();
      if (conflict !== undefined) continue;
      const next = this.#nextStep();
      if (next === undefined) return { found: true, chosen: this.#chosen() };
      if ('proof' in next) {
        const unknown = next.ways.filter((choice) => !this.#expanded.has(choice));
        if (unknown.length === 0) return { found: false, proof: next.proof };
        conflict = this.#lookAhead(unknown);
        continue;
      }
      this.#known.push(this.#all.length);
      conflict = this.#assign(next.choice.variable, next.choice.bit, { need: next.need });
    }
  }

  /** Adds all before checking any, so that none is lost when one of them ends in a conflict. */
  #addAll(list: readonly Incompatibility[]): Incompatibility | undefined {
    for (const one of list) this.#index(one);
    return this.#checkAll(list);
  }

  #index(one: Incompatibility): void {
    this.#all.push(one);
    if (one.unless !== undefined) {
      this.#conditional.push({ ...one, unless: one.unless });
      return;
    }
    if (isNeed(one)) this.#needs.push(one);
    for (const variable of one.terms.keys()) {
      const list = this.#byVariable.get(variable);
      if (list === undefined) this.#byVariable.set(variable, [one]);
      else list.push(one);
    }
  }

  /** Draws the conclusions that almost satisfied incompatibilities force; returns one that is violated. */
  #checkAll(list: readonly Incompatibility[]): Incompatibility | undefined {
    for (const one of list) {
      const step = this.#consequence(one);
      if (step === 'violated') return one;
      if (step === undefined) continue;
      const conflict = this.#assign(step[0], step[0].full & ~step[1], { cause: one });
      if (conflict !== undefined) return conflict;
    }
    return undefined;
  }

  /** Narrows a variable and propagates what follows; returns a violated incompatibility. */
  #assign(first: Variable, allows: bigint, why: Why): Incompatibility | undefined {
    this.#record(first, allows, why);
    const pending = [first];
    // Grows while it is walked.
    for (const variable of pending) {
      if (this.#level === 0) this.#prune(variable);
      for (const one of this.#byVariable.get(variable) ?? []) {
        const step = this.#consequence(one);
        if (step === 'violated') return one;
        if (step === undefined) continue;
        this.#record(step[0], step[0].full & ~step[1], { cause: one });
        pending.push(step[0]);
      }
    }
    return undefined;
  }

  /** Forgets, before anything is decided, what a variable keeps from ever applying again. */
  #prune(variable: Variable): void {
    const allowed = this.#trail.allows(variable);
    const list = this.#byVariable.get(variable) ?? [];
    const live = list.filter(({ terms }) => (allowed & (terms.get(variable) ?? 0n)) !== 0n);
    if (live.length < list.length) this.#byVariable.set(variable, live);
  }

  /** Once a term is excluded before anything is decided, the need is met or does not apply for good. */
  #pruneNeeds(): void {
    this.#needs = this.#needs.filter(({ terms }) => {
      for (const [variable, mask] of terms) if ((this.#trail.allows(variable) & mask) === 0n) return false;
      return true;
    });
  }

  /**
   * What an incompatibility forces by now. A wish brings its packages, but keeps nothing away on their account;
   * where it cannot be granted any more it is passed over.
   */
  #consequence(one: Incompatibility): readonly [Variable, bigint] | 'violated' | undefined {
    if (one.unless !== undefined) return undefined;
    let open: readonly [Variable, bigint] | undefined;
    for (const [variable, mask] of one.terms) {
      const standing = standingOf(this.#trail.allows(variable), mask);
      if (standing === 'excluded') return undefined;
      if (standing === 'satisfied') continue;
      if (open !== undefined) return undefined;
      open = [variable, mask];
    }
    if (isSoft(one)) return open !== undefined && (open[1] & ABSENT) !== 0n ? open : undefined;
    return open ?? 'violated';
  }

  #record(variable: Variable, allows: bigint, { cause, need }: Why): void {
    this.#trail.record({ variable, allows, level: this.#level, cause, need });
  }

  /** Adds the rules of every choice that is certain by now. */
  #expandFixed(): Incompatibility | undefined {
    for (; this.#expandedTo < this.#trail.length; this.#expandedTo++) {
      const variable = this.#trail.at(this.#expandedTo)?.variable;
      const choice = variable === undefined ? undefined : this.#fixed(variable);
      if (choice === undefined) continue;
      if (this.#expanded.has(choice)) {
        // Its needs were passed over while it was not chosen.
        if (this.#revisits) this.#metTo = 0;
        continue;
      }
      this.#expanded.add(choice);
      const conflict = this.#addAll(this.#rules.of(choice));
      if (conflict !== undefined) return conflict;
    }
    return undefined;
  }

  /** What equal ways would need and exclude may leave only one of them. */
  #lookAhead(choices: readonly Choice[]): Incompatibility | undefined {
    for (const choice of choices) this.#expanded.add(choice);
    this.#revisits = true;
    return this.#addAll(choices.flatMap((choice) => this.#rules.of(choice)));
  }

  #fixed(variable: Variable): Choice | undefined {
    const allowed = this.#trail.allows(variable);
    if (allowed === ABSENT || (allowed & (allowed - 1n)) !== 0n) return undefined;
    return variable.choices.find(({ bit }) => bit === allowed);
  }

  /**
   * The next choice to try: for a name that must be there, or for a need with several ways out. Needs whose ways
   * are equal come last, because another choice may settle them; where none does, they end the search.
   */
  #nextStep(): Step | Tie | undefined {
    for (const variable of this.#rules.first) {
      const choice = this.#preferred(variable, ABSENT);
      if (choice !== undefined) return { choice, need: undefined };
    }
    for (; this.#decidedTo < this.#trail.length; this.#decidedTo++) {
      const variable = this.#trail.at(this.#decidedTo)?.variable;
      const choice = variable === undefined ? undefined : this.#preferred(variable);
      if (choice !== undefined) return { choice, need: undefined };
    }
    let proof: Incompatibility | undefined;
    const ways: Choice[] = [];
    if (this.#level === 0 && this.#metTo === 0) this.#pruneNeeds();
    for (let index = this.#metTo; index < this.#needs.length; index++) {
      const need = this.#needs[index];
      const decision = need === undefined ? undefined : this.#rules.choose(this.#ways(need), need);
      if (need !== undefined && decision !== undefined) {
        if ('choice' in decision) return { choice: decision.choice, need };
        proof ??= this.#ambiguity(need, decision);
        ways.push(...decision.providers);
      }
      if (proof === undefined) this.#metTo = index + 1;
    }
    return proof === undefined ? this.#nextConditional() : { proof, ways };
  }

  #nextConditional(): Step | undefined {
    for (const need of this.#conditional) {
      const isThere = [...need.unless].some(
        ([variable, mask]) => (this.#trail.allows(variable) & ~mask) === 0n,
      );
      const [choice] = isThere ? [] : this.#ways(need);
      if (choice !== undefined) return { choice, need };
    }
    return undefined;
  }

  /** The best choice for a name that must be there and is still open; `besides` is disregarded. */
  #preferred(variable: Variable, besides = 0n): Choice | undefined {
    const allowed = this.#trail.allows(variable) & ~besides;
    if ((allowed & ABSENT) !== 0n || (allowed & (allowed - 1n)) === 0n) return undefined;
    return variable.choices.find(({ bit }) => (allowed & bit) !== 0n);
  }

  /** Why a choice is needed that nothing settles: the need itself, and what brought in those that need it. */
  #ambiguity(
    need: Incompatibility,
    { name, providers }: Exclude<Decision, { readonly choice: Choice }>,
  ): Incompatibility {
    const { terms } = need;
    const by = providers.map(({ variable }) => variable.name);
    let proof: Incompatibility = { terms, cause: { kind: 'ambiguous', need, name, by } };
    const seen = new Set<Variable>();
    const pending = [need];
    for (const { terms: ofOne } of pending) {
      for (const [variable, mask] of ofOne) {
        if ((mask & ABSENT) !== 0n || seen.has(variable)) continue;
        seen.add(variable);
        const at = this.#trail.satisfiedAt(variable, variable.full & ~ABSENT);
        const why = this.#trail.at(at)?.cause ?? this.#trail.at(at)?.need;
        if (why === undefined) continue;
        pending.push(why);
        proof = { terms, cause: { kind: 'derived', left: why, right: proof } };
      }
    }
    return proof;
  }

  /** The choices that would satisfy a need that is still open; none where it is met or does not apply. */
  #ways(one: Incompatibility): Choice[] {
    const ways: Choice[] = [];
    for (const [variable, mask] of one.terms) {
      const allowed = this.#trail.allows(variable);
      const standing = standingOf(allowed, mask);
      if (standing === 'excluded') return [];
      if (standing === 'satisfied') continue;
      // With absent outside the mask, leaving the name out satisfies the term's opposite: nothing is open.
      if ((mask & ABSENT) === 0n) return [];
      const best = variable.choices.find(({ bit }) => (allowed & ~mask & bit) !== 0n);
      if (best !== undefined) ways.push(best);
    }
    return ways;
  }

  #chosen(): readonly Choice[] {
    return [...this.#trail.variables()].flatMap((variable) => this.#fixed(variable) ?? []);
  }

  /**
   * Learns from a violated incompatibility and goes back to where the lesson applies. Returns what must be looked
   * at again there, or `undefined` where nothing is left to try; `#proof` is the reason then.
   */
  #resolve(violated: Incompatibility): readonly Incompatibility[] | undefined {
    let current = violated;
    for (;;) {
      const { satisfier, previousLevel } = this.#satisfier(current);
      if (satisfier === undefined || satisfier.level === 0) {
        this.#proof = this.#derive(current);
        return undefined;
      }
      if (satisfier.cause === undefined || previousLevel < satisfier.level) {
        // A wish is no reason to choose anything else: it is given up.
        if (current !== violated && [...factsOf(current)].some(isSoft)) {
          this.#proof = current;
          return undefined;
        }
        const newer = this.#known[previousLevel + 1] ?? this.#all.length;
        this.#backtrack(previousLevel);
        this.#index(current);
        return this.#all.slice(newer);
      }
      current = resolvent(current, satisfier.cause, satisfier);
    }
  }

  /**
   * Follows the derivations of level 0 from the latest back, so that the proof names every fact. Only the causes in
   * it count, not the terms: those of every step would grow with the square of the facts.
   */
  #derive(violated: Incompatibility): Incompatibility {
    const open = new Map(violated.terms);
    let proof = violated;
    for (let at = this.#trail.length - 1; at >= 0; at--) {
      const step = this.#trail.at(at);
      const mask = step === undefined ? undefined : open.get(step.variable);
      if (step?.cause === undefined || mask === undefined || (step.before & ~mask) === 0n) continue;
      const { variable, cause, allows } = step;
      const rest = (mask | ~allows) & variable.full;
      if (rest === variable.full) open.delete(variable);
      else open.set(variable, rest);
      for (const [other, ofOther] of cause.terms) {
        if (other !== variable) open.set(other, (open.get(other) ?? other.full) & ofOther);
      }
      proof = { terms: violated.terms, cause: { kind: 'derived', left: proof, right: cause } };
    }
    return proof;
  }

  /** The assignment that completed the violation, and the latest level that the rest of it depends on. */
  #satisfier(one: Incompatibility): { satisfier: Assignment | undefined; previousLevel: number } {
    let at = -1;
    for (const [variable, mask] of one.terms) at = Math.max(at, this.#trail.satisfiedAt(variable, mask));
    const satisfier = this.#trail.at(at);
    if (satisfier === undefined) return { satisfier, previousLevel: 0 };
    let previous = -1;
    for (const [variable, mask] of one.terms) {
      // Together with the satisfier itself, earlier assignments of the same variable may be needed.
      const needed = variable === satisfier.variable ? mask | ~satisfier.allows : mask;
      previous = Math.max(previous, this.#trail.satisfiedAt(variable, needed, at));
    }
    return { satisfier, previousLevel: this.#trail.at(previous)?.level ?? 0 };
  }

  #backtrack(level: number): void {
    // What is certain or decided of the variables before stays so.
    const changed = this.#trail.backtrack(level);
    this.#expandedTo = Math.min(this.#expandedTo, changed);
    this.#decidedTo = Math.min(this.#decidedTo, changed);
    this.#known.length = level + 1;
    this.#metTo = 0;
    this.#revisits = true;
  }
}

interface Why {
  readonly cause?: Incompatibility;
  readonly need?: Incompatibility | undefined;
}

const isNeed = ({ cause: { kind } }: Incompatibility): boolean =>
  kind === 'world' || kind === 'needs' || kind === 'recommends';

/** What follows from a violated incompatibility and the cause of the assignment that completed it. */
function resolvent(one: Incompatibility, cause: Incompatibility, satisfier: Assignment): Incompatibility {
  const terms = new Map<Variable, bigint>();
  const add = (variable: Variable, mask: bigint): void => {
    terms.set(variable, (terms.get(variable) ?? variable.full) & mask);
  };
  for (const [variable, mask] of one.terms) if (variable !== satisfier.variable) add(variable, mask);
  for (const [variable, mask] of cause.terms) if (variable !== satisfier.variable) add(variable, mask);
  const own = one.terms.get(satisfier.variable) ?? satisfier.variable.full;
  const rest = (own | ~satisfier.allows) & satisfier.variable.full;
  if (rest !== satisfier.variable.full) add(satisfier.variable, rest);
  return { terms, cause: { kind: 'derived', left: one, right: cause } };
}

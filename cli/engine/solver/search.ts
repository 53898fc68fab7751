/**
 * The search: unit propagation, decisions, and learning from conflicts. It is complete because every
 * conflict yields a new incompatibility that excludes at least the present assignment, and it is
 * deterministic because everything is visited in the order it was added.
 */
import { ABSENT, preferredOf, type Choice, type Variable } from './universe.ts';
import type { Decision, Ways } from './choose.ts';
import { Clause, type Occurrence } from './clause.ts';
import { derived, standingOf, type Incompatibility, type Terms } from './incompatibility.ts';
import { lessonOf } from './lesson.ts';
import { Trail } from './trail.ts';

export interface Rules {
  /** Incompatibilities that hold whatever is chosen. */
  readonly initial: readonly Incompatibility[];
  /** Incompatibilities that matter once the choice is made. */
  readonly of: (choice: Choice) => readonly Incompatibility[];
  /** Names to decide on before any other. */
  readonly first: readonly Variable[];
  /** The ways to satisfy one need, the best first. */
  readonly waysOf: (need: Incompatibility) => Ways;
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

/** What a search did, to be counted rather than timed. */
export interface Effort {
  readonly decisions: number;
  /** Incompatibilities that were learned. */
  readonly lessons: number;
  /** How often it was looked at what is left of a variable. */
  readonly looks: number;
}

interface Need {
  readonly clause: Clause;
  ways: Ways | undefined;
}

interface Conditional {
  readonly one: Incompatibility;
  readonly unless: Terms;
}

export class Search {
  readonly #rules: Rules;
  readonly #trail = new Trail();
  readonly #byVariable = new Map<Variable, Occurrence[]>();
  readonly #all: Clause[] = [];
  /** How many incompatibilities there were when each level began. */
  readonly #known: number[] = [0];
  #needs: Need[] = [];
  /** Where the ways of needs stood before each level went on with them. */
  readonly #moves: { readonly ways: Ways; readonly from: number; readonly level: number }[] = [];
  /** What comes along only while something is not there: looked at when all else is decided. */
  readonly #conditional: Conditional[] = [];
  readonly #expanded = new Set<Choice>();
  /** Before these, trail and needs have nothing left to expand or to decide. */
  #expandedTo = 0;
  #decidedTo = 0;
  #metTo = 0;
  /** True once rules are known of choices that are not made. */
  #revisits = false;
  #decisions = 0;
  #lessons = 0;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  get #level(): number {
    return this.#known.length - 1;
  }

  get effort(): Effort {
    return { decisions: this.#decisions, lessons: this.#lessons, looks: this.#trail.looks };
  }

  run(): Found {
    let conflict = this.#addAll(this.#rules.initial);
    for (;;) {
      while (conflict !== undefined) {
        const added = this.#resolve(conflict);
        if ('proof' in added) return { found: false, proof: added.proof };
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
      this.#decisions += 1;
      this.#known.push(this.#all.length);
      conflict = this.#assign(next.choice.variable, next.choice.bit, { need: next.need });
    }
  }

  /** Adds all before checking any, so that none is lost when one of them ends in a conflict. */
  #addAll(list: readonly Incompatibility[]): Incompatibility | undefined {
    const start = this.#all.length;
    for (const one of list) this.#index(one);
    return this.#checkAll(this.#all.slice(start));
  }

  #index(one: Incompatibility): void {
    if (one.unless !== undefined) {
      this.#conditional.push({ one, unless: one.unless });
      return;
    }
    const clause = new Clause(one);
    this.#all.push(clause);
    clause.begin(this.#trail);
    if (isNeed(one)) this.#needs.push({ clause, ways: undefined });
    for (const [variable, occurrence] of clause.occurrences()) {
      const list = this.#byVariable.get(variable);
      if (list === undefined) this.#byVariable.set(variable, [occurrence]);
      else list.push(occurrence);
    }
  }

  /** Draws the conclusions that almost satisfied incompatibilities force; returns one that is violated. */
  #checkAll(list: readonly Clause[]): Incompatibility | undefined {
    for (const clause of list) {
      const { one } = clause;
      const step = clause.consequence(this.#trail);
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
      for (const { clause, term } of this.#occurrencesOf(variable)) {
        if (!clause.narrowed(this.#trail, term)) continue;
        const step = clause.consequence(this.#trail);
        if (step === 'violated') return clause.one;
        if (step === undefined) continue;
        this.#record(step[0], step[0].full & ~step[1], { cause: clause.one });
        pending.push(step[0]);
      }
    }
    return undefined;
  }

  /** Where a variable occurs, without what can never apply again: what a variable excludes before anything is decided. */
  #occurrencesOf(variable: Variable): readonly Occurrence[] {
    const list = this.#byVariable.get(variable) ?? [];
    if (this.#level === 0)
      for (const { clause, term } of list) clause.dead ||= clause.isExcluded(this.#trail, term);
    if (!list.some(({ clause }) => clause.dead)) return list;
    const live = list.filter(({ clause }) => !clause.dead);
    this.#byVariable.set(variable, live);
    return live;
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
    return preferredOf(variable, allowed);
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
    if (this.#metTo === 0) this.#needs = this.#needs.filter(({ clause }) => !clause.dead);
    for (let index = this.#metTo; index < this.#needs.length; index++) {
      const need = this.#needs[index];
      const decision = need === undefined ? undefined : this.#decide(need);
      if (need !== undefined && decision !== undefined) {
        const { one } = need.clause;
        if ('choice' in decision) return { choice: decision.choice, need: one };
        proof ??= this.#ambiguity(one, decision);
        ways.push(...decision.providers);
      }
      if (proof === undefined) this.#metTo = index + 1;
    }
    return proof === undefined ? this.#nextConditional() : { proof, ways };
  }

  /** What to do about a need; `undefined` where it is met or does not apply. */
  #decide(need: Need): Decision | undefined {
    if (!need.clause.isOpen(this.#trail)) return undefined;
    const ways = (need.ways ??= this.#rules.waysOf(need.clause.one));
    const { from } = ways;
    const decision = ways.decide((variable) => this.#trail.allows(variable));
    if (ways.from !== from) this.#moves.push({ ways, from, level: this.#level });
    return decision;
  }

  #nextConditional(): Step | undefined {
    for (const { one, unless } of this.#conditional) {
      const isThere = [...unless].some(([variable, mask]) => (this.#trail.allows(variable) & ~mask) === 0n);
      const choice = isThere ? undefined : this.#wayOut(one);
      if (choice !== undefined) return { choice, need: one };
    }
    return undefined;
  }

  /** The best choice for a name that must be there and is still open; `besides` is disregarded. */
  #preferred(variable: Variable, besides = 0n): Choice | undefined {
    const allowed = this.#trail.allows(variable) & ~besides;
    if ((allowed & ABSENT) !== 0n || (allowed & (allowed - 1n)) === 0n) return undefined;
    return preferredOf(variable, allowed);
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
        proof = derived(terms, why, proof);
      }
    }
    return proof;
  }

  /** The first choice that would satisfy what is still open; none where it is met or does not apply. */
  #wayOut({ terms }: Incompatibility): Choice | undefined {
    let first: Choice | undefined;
    for (const [variable, mask] of terms) {
      const allowed = this.#trail.allows(variable);
      const standing = standingOf(allowed, mask);
      if (standing === 'excluded') return undefined;
      if (standing === 'satisfied') continue;
      // With absent outside the mask, leaving the name out satisfies the term's opposite: nothing is open.
      if ((mask & ABSENT) === 0n) return undefined;
      first ??= preferredOf(variable, allowed & ~mask);
    }
    return first;
  }

  #chosen(): readonly Choice[] {
    return [...this.#trail.variables()].flatMap((variable) => this.#fixed(variable) ?? []);
  }

  /**
   * Learns from a violated incompatibility and goes back to where the lesson applies. Returns what must be looked
   * at again there, or the proof where nothing is left to try.
   */
  #resolve(violated: Incompatibility): readonly Clause[] | { readonly proof: Incompatibility } {
    const lesson = lessonOf(violated, this.#trail);
    if (lesson.kind === 'proof') return lesson;
    this.#lessons += 1;
    const newer = this.#known[lesson.level + 1] ?? this.#all.length;
    this.#backtrack(lesson.level);
    this.#index(lesson.one);
    return this.#all.slice(newer);
  }

  #backtrack(level: number): void {
    // What is certain or decided of the variables before stays so.
    const changed = this.#trail.backtrack(level);
    this.#expandedTo = Math.min(this.#expandedTo, changed);
    this.#decidedTo = Math.min(this.#decidedTo, changed);
    this.#known.length = level + 1;
    for (let last = this.#moves.at(-1); last !== undefined && last.level > level; last = this.#moves.at(-1)) {
      last.ways.from = last.from;
      this.#moves.pop();
    }
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

/**
 * The search: unit propagation, decisions, and learning from conflicts. It is complete because every
 * conflict yields a new incompatibility that excludes at least the present assignment, and it is
 * deterministic because everything is visited in the order it was added.
 */
import { ABSENT, type Choice, type Variable } from './universe.ts';
import type { Incompatibility } from './incompatibility.ts';

interface Assignment {
  readonly variable: Variable;
  /** The values it leaves, regardless of what was excluded before. */
  readonly allows: bigint;
  readonly before: bigint;
  readonly level: number;
  /** Absent for a decision. */
  readonly cause: Incompatibility | undefined;
}

export interface Rules {
  /** Incompatibilities that hold whatever is chosen. */
  readonly initial: readonly Incompatibility[];
  /** Incompatibilities that matter once the choice is made. */
  readonly of: (choice: Choice) => readonly Incompatibility[];
  /** The better of two ways to satisfy one need, negative for `a`. */
  readonly compare: (a: Choice, b: Choice) => number;
}

export type Found =
  | { readonly found: true; readonly chosen: readonly Choice[] }
  | { readonly found: false; readonly proof: Incompatibility };

export class Search {
  readonly #rules: Rules;
  readonly #allowed = new Map<Variable, bigint>();
  readonly #trail: Assignment[] = [];
  readonly #byVariable = new Map<Variable, Incompatibility[]>();
  readonly #all: Incompatibility[] = [];
  readonly #expanded = new Set<Choice>();
  #level = 0;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  run(): Found {
    let conflict = this.#addAll(this.#rules.initial);
    for (;;) {
      while (conflict !== undefined) {
        const learned = this.#resolve(conflict);
        if (learned === undefined) return { found: false, proof: this.#proof ?? conflict };
        this.#index(learned);
        // Going back undid conclusions that may still hold at the earlier level.
        conflict = this.#checkAll(this.#all);
      }
      conflict = this.#expandFixed();
      if (conflict !== undefined) continue;
      const next = this.#nextChoice();
      if (next === undefined) return { found: true, chosen: this.#chosen() };
      this.#level++;
      conflict = this.#assign(next.variable, next.bit, undefined);
    }
  }

  #proof: Incompatibility | undefined;

  #allows(variable: Variable): bigint {
    return this.#allowed.get(variable) ?? variable.full;
  }

  /** Adds all before checking any, so that none is lost when one of them ends in a conflict. */
  #addAll(list: readonly Incompatibility[]): Incompatibility | undefined {
    for (const one of list) this.#index(one);
    return this.#checkAll(list);
  }

  #index(one: Incompatibility): void {
    this.#all.push(one);
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
      const conflict = this.#assign(step[0], step[0].full & ~step[1], one);
      if (conflict !== undefined) return conflict;
    }
    return undefined;
  }

  /** Narrows a variable and propagates what follows; returns a violated incompatibility. */
  #assign(first: Variable, allows: bigint, cause: Incompatibility | undefined): Incompatibility | undefined {
    this.#record(first, allows, cause);
    const pending = [first];
    for (let variable = pending.shift(); variable !== undefined; variable = pending.shift()) {
      for (const one of this.#byVariable.get(variable) ?? []) {
        const step = this.#consequence(one);
        if (step === 'violated') return one;
        if (step === undefined) continue;
        this.#record(step[0], step[0].full & ~step[1], one);
        pending.push(step[0]);
      }
    }
    return undefined;
  }

  #consequence(one: Incompatibility): readonly [Variable, bigint] | 'violated' | undefined {
    let open: readonly [Variable, bigint] | undefined;
    for (const [variable, mask] of one.terms) {
      const allowed = this.#allows(variable);
      if ((allowed & mask) === 0n) return undefined;
      if ((allowed & ~mask) === 0n) continue;
      if (open !== undefined) return undefined;
      open = [variable, mask];
    }
    return open ?? 'violated';
  }

  #record(variable: Variable, allows: bigint, cause: Incompatibility | undefined): void {
    const before = this.#allows(variable);
    this.#trail.push({ variable, allows, before, level: this.#level, cause });
    this.#allowed.set(variable, before & allows);
  }

  /** Adds the rules of every choice that is certain by now. */
  #expandFixed(): Incompatibility | undefined {
    for (let index = 0; index < this.#trail.length; index++) {
      const variable = this.#trail[index]?.variable;
      const choice = variable === undefined ? undefined : this.#fixed(variable);
      if (choice === undefined || this.#expanded.has(choice)) continue;
      this.#expanded.add(choice);
      const conflict = this.#addAll(this.#rules.of(choice));
      if (conflict !== undefined) return conflict;
    }
    return undefined;
  }

  #fixed(variable: Variable): Choice | undefined {
    const allowed = this.#allows(variable);
    return variable.choices.find(({ bit }) => bit === allowed);
  }

  /** The next choice to try: for a name that must be there, or for a need with several ways out. */
  #nextChoice(): Choice | undefined {
    for (const { variable } of this.#trail) {
      const allowed = this.#allows(variable);
      if ((allowed & ABSENT) !== 0n) continue;
      if ((allowed & (allowed - 1n)) === 0n) continue;
      return variable.choices.find(({ bit }) => (allowed & bit) !== 0n);
    }
    for (const one of this.#all) {
      const ways = this.#ways(one);
      if (ways.length > 0) return ways.sort(this.#rules.compare)[0];
    }
    return undefined;
  }

  /** The choices that would satisfy a need that is still open; none where it is met or does not apply. */
  #ways(one: Incompatibility): Choice[] {
    const ways: Choice[] = [];
    for (const [variable, mask] of one.terms) {
      const allowed = this.#allows(variable);
      if ((allowed & mask) === 0n) return [];
      if ((allowed & ~mask) === 0n) continue;
      // With absent outside the mask, leaving the name out satisfies the term's opposite: nothing is open.
      if ((mask & ABSENT) === 0n) return [];
      const best = variable.choices.find(({ bit }) => (allowed & ~mask & bit) !== 0n);
      if (best !== undefined) ways.push(best);
    }
    return ways;
  }

  #chosen(): readonly Choice[] {
    return [...this.#allowed.keys()].flatMap((variable) => this.#fixed(variable) ?? []);
  }

  /**
   * Learns from a violated incompatibility and goes back to where the lesson applies.
   * Returns `undefined` where nothing is left to try; `#proof` is the reason then.
   */
  #resolve(violated: Incompatibility): Incompatibility | undefined {
    let current = violated;
    for (;;) {
      const { satisfier, previousLevel } = this.#satisfier(current);
      if (satisfier === undefined || satisfier.level === 0) {
        this.#proof = this.#derive(current);
        return undefined;
      }
      if (satisfier.cause === undefined || previousLevel < satisfier.level) {
        this.#backtrack(previousLevel);
        return current;
      }
      current = resolvent(current, satisfier.cause, satisfier);
    }
  }

  /** Follows the derivations of level 0, so that the proof names every fact. */
  #derive(violated: Incompatibility): Incompatibility {
    let current = violated;
    for (;;) {
      const { satisfier } = this.#satisfier(current);
      if (satisfier?.cause === undefined) return current;
      current = resolvent(current, satisfier.cause, satisfier);
    }
  }

  /** The assignment that completed the violation, and the latest level that the rest of it depends on. */
  #satisfier(one: Incompatibility): { satisfier: Assignment | undefined; previousLevel: number } {
    let at = -1;
    for (const [variable, mask] of one.terms) at = Math.max(at, this.#satisfiedAt(variable, mask, Infinity));
    const satisfier = this.#trail[at];
    if (satisfier === undefined) return { satisfier, previousLevel: 0 };
    let previous = -1;
    for (const [variable, mask] of one.terms) {
      // Together with the satisfier itself, earlier assignments of the same variable may be needed.
      const needed = variable === satisfier.variable ? mask | ~satisfier.allows : mask;
      previous = Math.max(previous, this.#satisfiedAt(variable, needed, at));
    }
    return { satisfier, previousLevel: this.#trail[previous]?.level ?? 0 };
  }

  /** Index of the assignment after which the variable lies in the mask; -1 where it always did. */
  #satisfiedAt(variable: Variable, mask: bigint, end: number): number {
    let allowed = variable.full;
    if ((allowed & ~mask) === 0n) return -1;
    for (let index = 0; index < Math.min(end, this.#trail.length); index++) {
      const one = this.#trail[index];
      if (one?.variable !== variable) continue;
      allowed &= one.allows;
      if ((allowed & ~mask) === 0n) return index;
    }
    return -1;
  }

  #backtrack(level: number): void {
    for (let last = this.#trail.at(-1); last !== undefined && last.level > level; last = this.#trail.at(-1)) {
      this.#allowed.set(last.variable, last.before);
      this.#trail.pop();
    }
    this.#level = level;
  }
}

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

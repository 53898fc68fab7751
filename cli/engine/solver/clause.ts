/**
 * An incompatibility as the search keeps it. It remembers which of its terms were not satisfied when it was looked at last,
 * because mostly they still are not: so a list of thousands of providers is not read again whenever one is ruled out.
 */
import { isSoft, standingOf, type Incompatibility, type Standing } from './incompatibility.ts';
import type { Trail } from './trail.ts';
import { ABSENT, type Variable } from './universe.ts';

/** The one variable that is left, and the values it must not have; or a contradiction. */
export type Consequence = readonly [Variable, bigint] | 'violated' | undefined;

/** A clause among those that a variable occurs in, with the number of its term there. */
export interface Occurrence {
  readonly clause: Clause;
  readonly term: number;
}

export class Clause {
  readonly one: Incompatibility;
  readonly #variables: readonly Variable[];
  readonly #masks: readonly bigint[];
  /** Terms of what needs, rather than of what is needed: leaving the name out would satisfy none of them. */
  readonly #context: readonly number[];
  /** Two terms that were not satisfied when they were looked at last. */
  #first = 0;
  #second = 1;
  /** Every term that is excluded, and some that were. */
  readonly #excluded: number[] = [];
  /** True once a term is excluded before anything was decided: it never applies again. */
  dead = false;

  constructor(one: Incompatibility) {
    this.one = one;
    this.#variables = [...one.terms.keys()];
    this.#masks = [...one.terms.values()];
    this.#context = this.#masks.flatMap((mask, term) => ((mask & ABSENT) === 0n ? [term] : []));
  }

  occurrences(): readonly (readonly [Variable, Occurrence])[] {
    return this.#variables.map((variable, term) => [variable, { clause: this, term }]);
  }

  /** Finds the terms that were excluded before the clause was known. */
  begin(trail: Trail): void {
    for (let term = 0; term < this.#variables.length; term++)
      if (this.#standing(trail, term) === 'excluded') this.#excluded.push(term);
  }

  /** To be told of every term that was narrowed. Returns false where nothing can follow from that. */
  narrowed(trail: Trail, term: number): boolean {
    const standing = this.#standing(trail, term);
    if (standing === 'excluded') this.#excluded.push(term);
    return standing !== 'excluded';
  }

  isExcluded(trail: Trail, term: number): boolean {
    return this.#standing(trail, term) === 'excluded';
  }

  /** What it forces by now. A wish brings its packages, but keeps nothing away on their account. */
  consequence(trail: Trail): Consequence {
    if (this.#isIdle(trail)) return undefined;
    const count = this.#variables.length;
    const start = Math.max(this.#first, this.#second) + 1;
    let open: number | undefined;
    for (let step = 0; step < count; step++) {
      const term = (start + step) % count;
      const standing = this.#standing(trail, term);
      if (standing === 'satisfied') continue;
      if (standing === 'excluded' || open !== undefined) {
        this.#first = term;
        this.#second = open ?? term;
        return undefined;
      }
      open = term;
    }
    const variable = this.#variables[open ?? -1];
    const mask = this.#masks[open ?? -1] ?? 0n;
    if (isSoft(this.one))
      return variable !== undefined && (mask & ABSENT) !== 0n ? [variable, mask] : undefined;
    return variable === undefined ? 'violated' : [variable, mask];
  }

  /** True where two terms are known not to be satisfied, or one to be excluded. */
  #isIdle(trail: Trail): boolean {
    const first = this.#standing(trail, this.#first);
    if (first === 'excluded') return true;
    const second = this.#standing(trail, this.#second);
    return second === 'excluded' || (first === 'open' && second === 'open' && this.#first !== this.#second);
  }

  /** True where what needs something is there for certain, and nothing that meets the need. */
  isOpen(trail: Trail): boolean {
    for (let last = this.#excluded.at(-1); last !== undefined; last = this.#excluded.at(-1)) {
      if (this.#standing(trail, last) === 'excluded') return false;
      this.#excluded.pop();
    }
    return this.#context.every((term) => this.#standing(trail, term) === 'satisfied');
  }

  #standing(trail: Trail, term: number): Standing {
    const variable = this.#variables[term];
    const mask = this.#masks[term];
    if (variable === undefined || mask === undefined) return 'satisfied';
    return standingOf(trail.allows(variable), mask);
  }
}

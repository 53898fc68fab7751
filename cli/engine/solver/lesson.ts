/** What a violated incompatibility teaches: a new one that would have kept the search from going there, or a proof. */
import { derived, restsOnWishes, type Incompatibility } from './incompatibility.ts';
import type { Assignment, Trail } from './trail.ts';
import type { Variable } from './universe.ts';

export type Lesson =
  /** `level` is where it applies: all but one of its terms hold there. */
  | { readonly kind: 'learned'; readonly one: Incompatibility; readonly level: number }
  /** Nothing is left to try, or only if wishes are given up. */
  | { readonly kind: 'proof'; readonly proof: Incompatibility };

/**
 * Walks back over the assignments that led to the violation and resolves it with their causes, until only one term
 * depends on the latest level that matters. All steps share one set of terms: of what lies between, only the causes count.
 */
export function lessonOf(violated: Incompatibility, trail: Trail): Lesson {
  const open = new OpenTerms(trail);
  for (const [variable, mask] of violated.terms) open.add(variable, mask);
  let current = violated;
  for (let at = open.latest(); at >= 0; at--) {
    const step = trail.at(at);
    if (step === undefined || !open.isCompletedBy(step, at)) continue;
    if (step.level === 0) break;
    const previousLevel = open.levelWithout(step, at);
    if (step.cause === undefined || previousLevel < step.level) {
      // A wish is no reason to choose anything else: it is given up.
      if (current !== violated && restsOnWishes(current)) return { kind: 'proof', proof: current };
      return { kind: 'learned', one: current, level: previousLevel };
    }
    open.resolve(step, at, step.cause);
    current = derived(open.terms, current, step.cause);
  }
  return { kind: 'proof', proof: proofOf(current, trail) };
}

/**
 * Follows the derivations of level 0 from the latest back, so that the proof names every fact. Only the causes in
 * it count, not the terms: those of every step would grow with the square of the facts.
 */
function proofOf(violated: Incompatibility, trail: Trail): Incompatibility {
  const open = new Map(violated.terms);
  let proof = violated;
  for (let at = trail.length - 1; at >= 0; at--) {
    const step = trail.at(at);
    const mask = step === undefined ? undefined : open.get(step.variable);
    if (step?.cause === undefined || mask === undefined || (step.before & ~mask) === 0n) continue;
    const { variable, cause, allows } = step;
    const rest = (mask | ~allows) & variable.full;
    if (rest === variable.full) open.delete(variable);
    else open.set(variable, rest);
    for (const [other, ofOther] of cause.terms) {
      if (other !== variable) open.set(other, (open.get(other) ?? other.full) & ofOther);
    }
    proof = derived(violated.terms, proof, cause);
  }
  return proof;
}

/** The terms that are still to be explained, with the assignment that completed each. */
class OpenTerms {
  readonly terms = new Map<Variable, bigint>();
  readonly #trail: Trail;
  readonly #completedAt = new Map<Variable, number>();
  /** How many of them each level completed. */
  readonly #countOf = new Map<number, number>();

  constructor(trail: Trail) {
    this.#trail = trail;
  }

  add(variable: Variable, mask: bigint): void {
    this.#put(variable, (this.terms.get(variable) ?? variable.full) & mask);
  }

  latest(): number {
    let latest = -1;
    for (const at of this.#completedAt.values()) latest = Math.max(latest, at);
    return latest;
  }

  isCompletedBy({ variable }: Assignment, at: number): boolean {
    return this.#completedAt.get(variable) === at;
  }

  /** The latest level that all the rest depends on: the other terms, and what the same variable's term needs besides. */
  levelWithout(step: Assignment, at: number): number {
    const rest = this.#trail.satisfiedAt(step.variable, this.#restOf(step), at);
    const ofRest = this.#trail.at(rest)?.level ?? 0;
    const others = (this.#countOf.get(step.level) ?? 0) - 1;
    if (others > 0 || ofRest === step.level) return step.level;
    let latest = ofRest;
    for (const [level, count] of this.#countOf)
      if (count > 0 && level !== step.level) latest = Math.max(latest, level);
    return latest;
  }

  /** Puts what the cause of the assignment rests on in the place of the term that it completed. */
  resolve(step: Assignment, at: number, cause: Incompatibility): void {
    const rest = this.#restOf(step);
    this.#put(step.variable, step.variable.full);
    for (const [variable, mask] of cause.terms) if (variable !== step.variable) this.add(variable, mask);
    this.#put(step.variable, rest, at);
  }

  /** Together with the assignment itself, earlier ones of the same variable may be needed. */
  #restOf({ variable, allows }: Assignment): bigint {
    return ((this.terms.get(variable) ?? variable.full) | ~allows) & variable.full;
  }

  #put(variable: Variable, mask: bigint, end = Infinity): void {
    const before = this.#completedAt.get(variable);
    if (before !== undefined) this.#count(before, -1);
    this.#completedAt.delete(variable);
    if (mask === variable.full) {
      this.terms.delete(variable);
      return;
    }
    this.terms.set(variable, mask);
    const at = this.#trail.satisfiedAt(variable, mask, end);
    this.#completedAt.set(variable, at);
    this.#count(at, 1);
  }

  #count(at: number, by: number): void {
    const level = this.#trail.at(at)?.level ?? 0;
    this.#countOf.set(level, (this.#countOf.get(level) ?? 0) + by);
  }
}

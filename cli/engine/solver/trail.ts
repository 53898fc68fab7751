/** What was assigned, in order, and by what: the partial solution that the search extends and takes back. */
import type { Incompatibility } from './incompatibility.ts';
import type { Variable } from './universe.ts';

export interface Assignment {
  readonly variable: Variable;
  /** The values it leaves, regardless of what was excluded before. */
  readonly allows: bigint;
  readonly before: bigint;
  readonly level: number;
  /** Absent for a decision. */
  readonly cause: Incompatibility | undefined;
  /** What a decision was made for, where a need had several ways out. */
  readonly need: Incompatibility | undefined;
}

export class Trail {
  readonly #allowed = new Map<Variable, bigint>();
  readonly #assignments: Assignment[] = [];
  /** Where each variable was narrowed, in order. */
  readonly #positions = new Map<Variable, number[]>();

  /** How often `allows` was asked. */
  looks = 0;

  get length(): number {
    return this.#assignments.length;
  }

  at(index: number): Assignment | undefined {
    return this.#assignments[index];
  }

  allows(variable: Variable): bigint {
    this.looks += 1;
    return this.#allowed.get(variable) ?? variable.full;
  }

  variables(): Iterable<Variable> {
    return this.#allowed.keys();
  }

  record(step: Omit<Assignment, 'before'>): void {
    const { variable, allows } = step;
    const before = this.allows(variable);
    const positions = this.#positions.get(variable);
    if (positions === undefined) this.#positions.set(variable, [this.length]);
    else positions.push(this.length);
    this.#assignments.push({ ...step, before });
    this.#allowed.set(variable, before & allows);
  }

  /** Index of the assignment before `end` after which the variable lies in the mask; -1 where it always did or never does. */
  satisfiedAt(variable: Variable, mask: bigint, end = Infinity): number {
    if ((variable.full & ~mask) === 0n) return -1;
    const positions = this.#positions.get(variable) ?? [];
    // Narrowed once, a variable stays so: the first assignment that is enough can be halved for.
    let [low, high] = [0, positions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const step = this.#assignments[positions[middle] ?? -1];
      if (step !== undefined && (step.before & step.allows & ~mask) === 0n) high = middle;
      else low = middle + 1;
    }
    const index = positions[low];
    return index === undefined || index >= end ? -1 : index;
  }

  /** Takes back all later levels. Returns the earliest assignment to a variable that is less narrow now. */
  backtrack(level: number): number {
    let earliest = Infinity;
    for (
      let last = this.#assignments.at(-1);
      last !== undefined && last.level > level;
      last = this.#assignments.at(-1)
    ) {
      this.#allowed.set(last.variable, last.before);
      const positions = this.#positions.get(last.variable);
      positions?.pop();
      this.#assignments.pop();
      earliest = Math.min(earliest, positions?.at(-1) ?? this.length);
    }
    return Math.min(earliest, this.length);
  }
}

/**
 * An incompatibility: terms that cannot all hold at once, and why. The vocabulary is PubGrub's
 * (https://github.com/dart-lang/pub/blob/master/doc/solver.md), over finite domains instead of version ranges.
 */
import type { Dependency } from '#schema/dependency';
import type { Candidate } from '../model.ts';
import type { Variable } from './universe.ts';

/** Says that the variable's value is in the mask. */
export type Terms = ReadonlyMap<Variable, bigint>;

export type Cause =
  | { readonly kind: 'world'; readonly dependency: Dependency }
  | { readonly kind: 'needs'; readonly by: Candidate; readonly dependency: Dependency }
  | { readonly kind: 'conflicts'; readonly by: Candidate; readonly dependency: Dependency }
  /** It is what there can be one of only. */
  | { readonly kind: 'once'; readonly by: Candidate; readonly name: string }
  /** It provides the name in two versions. */
  | { readonly kind: 'contradiction'; readonly by: Candidate; readonly name: string }
  | { readonly kind: 'hold'; readonly name: string; readonly version: string }
  | {
      readonly kind: 'pin';
      readonly name: string;
      readonly repository: string;
      readonly offers: readonly string[];
    }
  | {
      readonly kind: 'ambiguous';
      readonly need: Incompatibility;
      readonly name: string;
      readonly by: readonly string[];
    }
  | { readonly kind: 'recommends'; readonly by: Candidate; readonly dependency: Dependency }
  | { readonly kind: 'installIf'; readonly by: Candidate }
  | { readonly kind: 'orphan'; readonly name: string }
  | {
      readonly kind: 'derived';
      readonly left: Incompatibility;
      readonly right: Incompatibility;
      readonly wishful: boolean;
    };

export interface Incompatibility {
  readonly terms: Terms;
  readonly cause: Cause;
  /** It holds only while none of these is chosen. Found in conditions alone (`installIf` with a conflict). */
  readonly unless?: Terms;
}

/** The facts that an incompatibility was derived from, each once, in the order a proof reads. */
export function* factsOf(root: Incompatibility): Generator<Incompatibility> {
  const seen = new Set<Incompatibility>();
  const pending = [root];
  for (let one = pending.pop(); one !== undefined; one = pending.pop()) {
    if (seen.has(one)) continue;
    seen.add(one);
    if (one.cause.kind === 'derived') pending.push(one.cause.left, one.cause.right);
    else yield one;
  }
}

/** What follows from two others. */
export function derived(terms: Terms, left: Incompatibility, right: Incompatibility): Incompatibility {
  return {
    terms,
    cause: { kind: 'derived', left, right, wishful: restsOnWishes(left) || restsOnWishes(right) },
  };
}

/** True where one of the facts that it was derived from is a wish. */
export const restsOnWishes = (one: Incompatibility): boolean =>
  one.cause.kind === 'derived' ? one.cause.wishful : isSoft(one);

/** True for what is given up rather than fail: recommendations, conditional installs, kept orphans. */
export function isSoft({ cause }: Incompatibility): boolean {
  if (cause.kind === 'ambiguous') return isSoft(cause.need);
  return cause.kind === 'recommends' || cause.kind === 'installIf' || cause.kind === 'orphan';
}

/** Tells wishes apart, over several searches. */
export function wishKey({ cause }: Incompatibility): string {
  switch (cause.kind) {
    case 'ambiguous':
      return wishKey(cause.need);
    case 'recommends':
      return `recommends ${cause.by.record.name} ${cause.by.record.version} ${cause.dependency.text}`;
    case 'installIf':
      return `installIf ${cause.by.record.name} ${cause.by.record.version}`;
    case 'orphan':
      return `orphan ${cause.name}`;
    default:
      return cause.kind;
  }
}

/** `satisfied` where every value that is left is in the mask, `excluded` where none is. */
export type Standing = 'satisfied' | 'excluded' | 'open';

/**
 * Whether what is still allowed lies within a term. Most variables of a long list are decided: one bit is compared
 * then, and no mask is made.
 */
export function standingOf(allowed: bigint, mask: bigint): Standing {
  const both = allowed & mask;
  if (both === 0n) return 'excluded';
  return both === allowed ? 'satisfied' : 'open';
}

/**
 * An incompatibility: terms that cannot all hold at once, and why. The vocabulary is PubGrub's
 * (https://github.com/dart-lang/pub/blob/master/doc/solver.md), over finite domains instead of version ranges.
 */
import type { Variable } from './universe.ts';

/** Says that the variable's value is in the mask. */
export type Terms = ReadonlyMap<Variable, bigint>;

export type Cause =
  | { readonly kind: 'world'; readonly text: string; readonly offered: readonly string[] }
  | {
      readonly kind: 'needs';
      readonly by: string;
      readonly text: string;
      readonly offered: readonly string[];
    }
  | { readonly kind: 'recommends' | 'installIf' | 'orphan'; readonly by: string; readonly text: string }
  | { readonly kind: 'conflicts'; readonly by: string; readonly text: string }
  | { readonly kind: 'exclusive'; readonly by: string; readonly text: string }
  | { readonly kind: 'hold' | 'pin'; readonly by: string; readonly text: string }
  | { readonly kind: 'derived'; readonly left: Incompatibility; readonly right: Incompatibility };

export interface Incompatibility {
  readonly terms: Terms;
  readonly cause: Cause;
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

/** True for what is given up rather than fail: recommendations, conditional installs, kept orphans. */
export const isSoft = ({ cause }: Incompatibility): boolean =>
  cause.kind === 'recommends' || cause.kind === 'installIf' || cause.kind === 'orphan';

/** Links that several packages offer: which one leads where. */
import type { Manifest } from '#schema/manifest';
import type { DiskKind } from '../file-plan/operations.ts';

/** One package's claim to a link. */
export interface Offer {
  readonly package: string;
  readonly link: string;
  readonly target: string;
  readonly priority: number;
}

export const offersOf = (manifest: Manifest): readonly Offer[] =>
  (manifest.alternatives ?? []).map(({ link, target, priority }) => ({
    package: manifest.name,
    link,
    target,
    priority,
  }));

/** The highest priority; of equals the first package by name. */
export function best(offers: readonly Offer[]): Offer | undefined {
  return [...offers].sort((a, b) => b.priority - a.priority || (a.package < b.package ? -1 : 1))[0];
}

export interface LinkState {
  /** All offers of the installed packages for this link, before and after the transaction. */
  readonly before: readonly Offer[];
  readonly after: readonly Offer[];
  readonly kind: DiskKind | undefined;
  /** Where the symlink leads to, if it is one. */
  readonly target: string | undefined;
}

export type LinkDecision =
  /** The link is made, or led elsewhere. */
  | { readonly action: 'link'; readonly offer: Offer }
  /** What is there stays, and belongs to the package of the offer. */
  | { readonly action: 'keep'; readonly offer: Offer }
  | { readonly action: 'remove' }
  | { readonly action: 'nothing' }
  /** Something is there that nobody offered. */
  | { readonly action: 'conflict'; readonly offer: Offer };

/**
 * A link that leads where the best offer so far does is ours to lead elsewhere. One that leads elsewhere was led
 * there by the operator, and stays for as long as that is on offer or never was.
 */
export function decideLink({ before, after, kind, target }: LinkState): LinkDecision {
  const old = best(before);
  const next = best(after);
  if (kind === undefined) return next === undefined ? { action: 'nothing' } : { action: 'link', offer: next };
  if (old === undefined) {
    if (next === undefined) return { action: 'nothing' };
    return { action: target === next.target ? 'keep' : 'conflict', offer: next };
  }
  const isOffered = (offers: readonly Offer[]): Offer | undefined =>
    best(offers.filter((one) => one.target === target));
  if (target !== old.target) {
    const chosen = isOffered(after);
    if (chosen !== undefined) return { action: 'keep', offer: chosen };
    if (isOffered(before) === undefined)
      return next === undefined ? { action: 'nothing' } : { action: 'keep', offer: next };
  }
  if (next === undefined) return { action: 'remove' };
  return { action: next.target === target ? 'keep' : 'link', offer: next };
}

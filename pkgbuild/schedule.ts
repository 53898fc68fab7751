/** Runs work on a graph: several at once, what others wait for first, and on after failures where that is wanted. */
import type { BuildNode } from './order.ts';

export type Outcome<T> =
  | { readonly state: 'done'; readonly value: T }
  | { readonly state: 'failed'; readonly error: unknown }
  /** Something that it needs failed. */
  | { readonly state: 'blocked'; readonly by: BuildNode };

export interface ScheduleOptions {
  /** How many run at once. */
  readonly parallel: number;
  /** Go on with what does not need what failed; otherwise nothing new begins after a failure. */
  readonly goOn: boolean;
}

/**
 * @param nodes in build order: what is needed stands before what needs it
 * @returns an outcome of every node that had its turn, in the same order
 */
export async function runInOrder<T>(
  nodes: readonly BuildNode[],
  { parallel, goOn }: ScheduleOptions,
  work: (node: BuildNode) => Promise<T>,
): Promise<Map<BuildNode, Outcome<T>>> {
  const outcomes = new Map<BuildNode, Outcome<T>>();
  const running = new Map<BuildNode, Promise<Outcome<T>>>();
  const waiting = new Set(nodes);
  let stopped = false;
  const start = (node: BuildNode): void => {
    waiting.delete(node);
    const done = outcomeOf(work(node)).then((outcome) => {
      outcomes.set(node, outcome);
      running.delete(node);
      stopped ||= outcome.state === 'failed' && !goOn;
      return outcome;
    });
    running.set(node, done);
  };
  while (waiting.size + running.size > 0) {
    for (const node of waiting) {
      const needed = [...node.buildNodes, ...node.testNodes].map((one) => ({
        one,
        outcome: outcomes.get(one),
      }));
      const broken = needed.find(({ outcome }) => outcome !== undefined && outcome.state !== 'done');
      if (broken !== undefined) {
        waiting.delete(node);
        const by = broken.outcome?.state === 'blocked' ? broken.outcome.by : broken.one;
        outcomes.set(node, { state: 'blocked', by });
      } else if (!stopped && running.size < parallel && needed.every(({ outcome }) => outcome !== undefined))
        start(node);
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  return new Map(
    nodes.flatMap((node) => {
      const outcome = outcomes.get(node);
      return outcome === undefined ? [] : [[node, outcome]];
    }),
  );
}

async function outcomeOf<T>(work: Promise<T>): Promise<Outcome<T>> {
  try {
    return { state: 'done', value: await work };
  } catch (error) {
    return { state: 'failed', error };
  }
}

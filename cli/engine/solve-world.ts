/** The solver with what a root's configuration says, and its refusals as errors. */
import { IcepkgError } from '#schema/error';
import { ATTACH_HINT } from './config.ts';
import type { EngineContext } from './context.ts';
import { solve, type Selected, type SolveRequest } from './solver/solve.ts';
import { pinsByRepository } from './world.ts';

/** What a command decides; the rest is the root's own. */
export type WorldRequest = Pick<
  SolveRequest,
  'world' | 'worldBefore' | 'candidates' | 'installed' | 'upgrade' | 'offeredNames'
> & {
  readonly [Key in 'preferAvailable' | 'keepOrphans' | 'recommends']?: boolean | undefined;
};

/** @throws IcepkgError `unsolvable` with the proof */
export function solveWorld(
  { arch, config }: Pick<EngineContext, 'arch' | 'config'>,
  request: WorldRequest,
): readonly Selected[] {
  const outcome = solve({
    ...request,
    arch,
    world: { ...request.world, pins: pinsByRepository(request.world.pins, config.repositories) },
    pinnedOnly: config.repositories.filter((one) => one.pinnedOnly).map(({ name }) => name),
    preferAvailable: request.preferAvailable ?? false,
    keepOrphans: request.keepOrphans ?? !config.autoremove,
    recommends: request.recommends ?? config.recommends,
  });
  if (outcome.solved) return outcome.selection;
  const hint = `${outcome.hint.charAt(0).toUpperCase()}${outcome.hint.slice(1)}`;
  throw new IcepkgError('unsolvable', outcome.explanation.join('\n'), {
    hint: config.repositories.length === 0 ? `No repository is attached. ${ATTACH_HINT}` : hint,
    data: { explanation: outcome.explanation },
  });
}

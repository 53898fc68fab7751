/** What is told of a command that was asked to stop. */
import { IcepkgError } from '#schema/error';

/** Exit statuses after signals, as shells have them. */
export const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;
export type Interruption = keyof typeof SIGNAL_STATUS;

/** Whatever gave way to the signal, as one error; what failed for another reason stays as it is. */
export function interruptionError(error: unknown, changesRoot: boolean): unknown {
  const gaveWay =
    error instanceof IcepkgError
      ? error.code === 'cancelled'
      : error instanceof Error && error.name === 'AbortError';
  return gaveWay
    ? new IcepkgError('cancelled', changesRoot ? 'interrupted; nothing was changed' : 'interrupted', {
        cause: error,
      })
    : error;
}

/** The way out as an operator sees it, where the engine, which met the failure, told an installing client. */
import { IcepkgError, type ErrorCode } from '#schema/error';

export type Hints = Readonly<Partial<Record<ErrorCode, string>>>;

/** @returns the same failure with the hint for its code; one whose code is not named as it is */
export function withHint(error: unknown, hints: Hints): unknown {
  const hint = error instanceof IcepkgError ? hints[error.code] : undefined;
  if (!(error instanceof IcepkgError) || hint === undefined) return error;
  return new IcepkgError(error.code, error.message, {
    hint,
    cause: error.cause,
    ...(error.data === undefined ? {} : { data: error.data }),
  });
}

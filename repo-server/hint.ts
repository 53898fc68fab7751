/** The way out as an operator sees it, where the engine, which met the failure, told an installing client. */
import { IcepkgError, type ErrorCode } from '#schema/error';

/** @returns the same failure with another hint where it has this code; any other one as it is */
export function withHint(error: unknown, code: ErrorCode, hint: string): unknown {
  if (!(error instanceof IcepkgError) || error.code !== code) return error;
  return new IcepkgError(code, error.message, {
    hint,
    cause: error.cause,
    ...(error.data === undefined ? {} : { data: error.data }),
  });
}

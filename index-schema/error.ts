/**
 * The one error type for everything a user can cause or mend. A plain `Error` that reaches the command
 * line is a bug and shows a stack.
 */

/** Every error code with the exit status it maps to; `docs/errors.md` lists exactly these. */
export const ERROR_EXIT_STATUS = {
  usage: 2,
  'config-invalid': 3,
  'format-invalid': 4,
  'package-corrupt': 5,
  'package-unsigned': 5,
  'path-unsafe': 5,
  'trust-failed': 6,
  'trust-expired': 6,
  'trust-rollback': 6,
  'network-failed': 7,
  'offline-missing': 7,
  'not-found': 8,
  unsolvable: 9,
  'file-conflict': 10,
  'disk-full': 11,
  'root-invalid': 12,
  'root-locked': 13,
  'root-read-only': 13,
  'store-corrupt': 14,
  'store-newer': 14,
  'script-failed': 15,
  'verify-failed': 16,
  'audit-failed': 16,
  'lint-failed': 16,
  'build-failed': 17,
  'source-failed': 18,
  'tool-missing': 19,
  cancelled: 20,
  'io-failed': 21,
  'image-failed': 22,
} as const;

export type ErrorCode = keyof typeof ERROR_EXIT_STATUS;

export interface ErrorDetails {
  /** What the user can type or change to get out; complete sentences, no trailing stop needed. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Machine-readable particulars shown under `--json`. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** `message` is lower case, names the thing (package, file, URL, line) and has no trailing stop. */
export class IcepkgError extends Error {
  override readonly name = 'IcepkgError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.data = details.data;
  }

  get exitStatus(): number {
    return ERROR_EXIT_STATUS[this.code];
  }
}

/** The way out where a document that icepkg makes is not as icepkg makes it. */
export const FETCH_OR_MAKE_AGAIN = 'Fetch it again, or have it made again by icepkg';

/** True for the `ErrnoException`s that Node's own calls throw, narrowed so that `error.code` is known. */
export function isErrno(error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Turns whatever was thrown into what the user sees and the exit status. */
import { IcepkgError, isErrno } from '#schema/error';
import { escapeLines, jsonText } from './escape.ts';

/** Exit status of a bug. */
const BUG_STATUS = 70;

interface ParserError extends Error {
  readonly oclif: object;
}
const isParserError = (error: unknown): error is ParserError =>
  error instanceof Error && 'oclif' in error && typeof error.oclif === 'object';

/** What the parser and the system complain about, as the one error type; anything else is a bug and returned as it is. */
export function asUserError(error: unknown, command: string): unknown {
  if (error instanceof IcepkgError) return error;
  if (isParserError(error)) {
    const lines = error.message
      .split('\n')
      .map((text) => text.trim())
      .filter(
        (text) =>
          text !== '' && !/^(?:See more help with --help|The following errors? occurred:)$/.test(text),
      );
    const message = lines.join('; ');
    return new IcepkgError('usage', message.charAt(0).toLowerCase() + message.slice(1), {
      hint: `See: icepkg ${command} --help`,
      cause: error,
    });
  }
  if (isErrno(error, 'EROFS', 'EACCES', 'EPERM'))
    return new IcepkgError('root-read-only', `${error.path ?? 'a file'} cannot be used: ${error.message}`, {
      hint: 'Run icepkg as the owner of the root, on a writable file system',
      cause: error,
    });
  if (isErrno(error, 'ENOSPC', 'EDQUOT'))
    return new IcepkgError('disk-full', `no space left: ${error.message}`, {
      hint: 'Free some space and try again',
      cause: error,
    });
  return error;
}

/** Prints the error on stderr (or as JSON on stdout) and returns the exit status. */
export function reportError(error: unknown, json: boolean): number {
  if (!(error instanceof IcepkgError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (json) process.stdout.write(`${jsonText({ error: { code: 'bug', message: text } })}\n`);
    else process.stderr.write(`icepkg: this is a bug in icepkg\n${escapeLines(text)}\n`);
    return BUG_STATUS;
  }
  if (json) {
    const { code, message, hint, data } = error;
    process.stdout.write(`${jsonText({ error: { code, message, hint, data } })}\n`);
    return error.exitStatus;
  }
  process.stderr.write(`icepkg: ${escapeLines(error.message)}\n`);
  if (error.hint !== undefined) process.stderr.write(`hint: ${escapeLines(error.hint)}\n`);
  return error.exitStatus;
}

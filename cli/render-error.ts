/** Turns whatever was thrown into what the user sees and the exit status. */
import { IcepkgError, isErrno } from '#schema/error';
import type { CommandHelp } from './command-table.ts';
import { flagHint } from './hints.ts';
import { printJson, printRemark } from './output.ts';

/** Exit status of a bug. */
const BUG_STATUS = 70;

interface ParserError extends Error {
  readonly oclif: object;
}
const isParserError = (error: unknown): error is ParserError =>
  error instanceof Error && 'oclif' in error && typeof error.oclif === 'object';

/** What the parser and the system complain about, as the one error type; anything else is a bug and returned as it is. */
export function asUserError(error: unknown, command: CommandHelp): unknown {
  if (error instanceof IcepkgError) return error;
  if (isParserError(error)) {
    const unknown = /^Nonexistent flags?: (\S+?),?(?:\s|$)/.exec(error.message)?.[1];
    return new IcepkgError('usage', parserText(error.message), {
      hint: flagHint(command, unknown),
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
  if (isErrno(error, 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENAMETOOLONG'))
    return new IcepkgError('io-failed', `${error.path ?? 'a path'} cannot be used: ${error.message}`, {
      hint: 'Name another path',
      cause: error,
    });
  return error;
}

/** What the parser says in several lines, in one. */
function parserText(text: string): string {
  const known =
    /^(?:See more help with --help|The following errors? occurred:|Note: --.*|Alternatively, you can use .*|)$/;
  const [first = '', ...rest] = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !known.test(line));
  if (/^Missing \d+ required args?:$/.test(first))
    return `missing ${rest.map((line) => line.replace(/\s.*/, '').toUpperCase()).join(' and ')}`;
  const absent = /^Missing required flag (\S+)$/.exec(first)?.[1];
  if (absent !== undefined) return `missing --${absent}`;
  const flag = /^Parsing (--\S+)/.exec(first)?.[1];
  return flag === undefined
    ? lowerFirst([first, ...rest].join('; '))
    : `${flag}: ${lowerFirst(rest.join('; '))}`;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

export interface ReportOptions {
  readonly json: boolean;
  /** What hints go through before anybody sees them. */
  readonly hintText: (hint: string) => string;
}

/** Prints the error on stderr (or as JSON on stdout) and returns the exit status. */
export function reportError(error: unknown, { json, hintText }: ReportOptions): number {
  if (!(error instanceof IcepkgError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (json) printJson({ error: { code: 'bug', message: text } });
    else printRemark(`icepkg: this is a bug in icepkg\n${text}`);
    return BUG_STATUS;
  }
  const hint = error.hint === undefined ? undefined : hintText(error.hint);
  if (json) {
    const { code, message, data } = error;
    printJson({ error: { code, message, hint, data } });
    return error.exitStatus;
  }
  printRemark(`icepkg: ${error.message}`);
  if (hint !== undefined) printRemark(`hint: ${hint}`);
  return error.exitStatus;
}

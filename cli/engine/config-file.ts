/** Reads one TOML file against a schema; every error names file and line. */
import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { IcepkgError, isErrno } from '#schema/error';
import { nearest } from '#schema/nearest';

/**
 * Returns the file's content as the schema's type; an absent file counts as empty.
 * @param shown how errors name the file
 */
export function readToml<const S extends v.GenericSchema>(
  file: string,
  shown: string,
  schema: S,
): v.InferOutput<S> {
  const text = readText(file, shown);
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const reason = cause.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '') ?? 'not valid TOML';
    throw invalid(`${shown}:${cause.line}: ${reason}`, cause);
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  // A misspelt key is also a missing one: naming the misspelling helps more.
  const isUnknown = (issue: v.BaseIssue<unknown>): boolean =>
    issue.type === 'strict_object' && issue.expected === 'never';
  const issue = result.issues.find(isUnknown) ?? result.issues[0];
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  const line = lineOf(text, path);
  const key = path.findLast((part) => typeof part === 'string');
  if (isUnknown(issue)) {
    const known = knownKeys(schema, path.slice(0, -1));
    throw invalid(`${shown}:${line}: unknown key ${JSON.stringify(key)}${suggestion(String(key), known)}`);
  }
  if (issue.type === 'strict_object') {
    throw invalid(`${shown}:${line}: the key ${JSON.stringify(key)} is missing`);
  }
  throw invalid(`${shown}:${line}: ${key === undefined ? '' : `${key}: `}${issue.message.toLowerCase()}`);
}

function readText(file: string, shown: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return '';
    if (!isErrno(cause, 'EACCES', 'EISDIR', 'ENOTDIR', 'ELOOP', 'EIO')) throw cause;
    throw invalid(`${shown}: cannot be read (${String(cause.code)})`, cause);
  }
}

const invalid = (message: string, cause?: unknown): IcepkgError =>
  new IcepkgError('config-invalid', message, {
    hint: 'Correct that line; docs/configuration.md lists every setting',
    ...(cause === undefined ? {} : { cause }),
  });

/** The line that a path of keys stands on, as well as the text tells; 1 where it does not. */
function lineOf(text: string, path: readonly (string | number)[]): number {
  const lines = text.split('\n');
  let at = 0;
  let found = 0;
  for (const [depth, part] of path.entries()) {
    if (typeof part === 'number') {
      const header = new RegExp(`^\\s*\\[\\[\\s*"?${escape(String(path[depth - 1]))}"?\\s*\\]\\]`);
      const headers = lines.flatMap((line, index) => (header.test(line) ? [index] : []));
      const index = headers[part];
      if (index !== undefined) found = at = index;
      continue;
    }
    const pattern = new RegExp(
      `^\\s*(?:"?${escape(part)}"?\\s*[=.]|\\[{1,2}\\s*(?:[^\\]]*\\.)?"?${escape(part)}"?\\s*[\\].])`,
    );
    const index = lines.findIndex((line, number) => number >= at && pattern.test(line));
    if (index !== -1) found = at = index;
  }
  return found + 1;
}

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The keys that the schema knows at a path. */
function knownKeys(schema: v.GenericSchema, path: readonly (string | number)[]): readonly string[] {
  let at: unknown = unwrap(schema);
  for (const part of path) {
    const { entries, item } = at as { entries?: Record<string, unknown>; item?: unknown };
    at = unwrap(typeof part === 'number' ? item : entries?.[part]);
  }
  return Object.keys((at as { entries?: object } | undefined)?.entries ?? {});
}

function unwrap(schema: unknown): unknown {
  const { wrapped } = (schema ?? {}) as { wrapped?: unknown };
  return wrapped === undefined ? schema : unwrap(wrapped);
}

function suggestion(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  if (near !== undefined) return `: did you mean ${near}?`;
  return known.length === 0 ? '' : `; known here: ${known.join(', ')}`;
}

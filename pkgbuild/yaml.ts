/** Reads YAML documents that people write: text in, a checked value out, with errors that name file, line and column. */
import * as fs from 'node:fs';
import * as v from 'valibot';
import { isNode, type Document } from 'yaml';
import { IcepkgError, isErrno } from '#schema/error';
import { nearest } from '#schema/nearest';
import { parseYaml, YamlProblem, type ParsedYaml } from './yaml-parse.ts';

/** Keys from the top of a document to a place in it. */
export type Keys = readonly (string | number)[];

/** Where something stands in a file; lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export const placeText = ({ file, line, column }: Place): string => `${file}:${line}:${column}`;

export interface YamlSource {
  readonly text: string;
  /** Names the document in errors. */
  readonly file: string;
  /** Where the fields are explained; the hint of last resort. */
  readonly manual: string;
  /** What to say to whoever uses a field that other tools have and this format has not. */
  readonly foreign?: Readonly<Record<string, string>>;
}

export interface YamlDocument<T> {
  readonly value: T;
  /** Where a field stands; for one that is not there, where the innermost existing one above it does. */
  readonly place: (keys: Keys) => Place;
  /** Makes the error for something that the schema could not see. */
  refuse(keys: Keys, why: string, hint?: string): IcepkgError;
}

const MAX_BYTES = 1024 * 1024;
const WAY_OUT = 'Give the path of a YAML file that you may read';

/** @param kind what the file should be, for the error: `recipe` */
export function readYamlFile(file: string, kind: string): string {
  try {
    const stat = fs.statSync(file);
    if (!stat.isFile())
      throw new IcepkgError('io-failed', `${file}: no file, so no ${kind}`, { hint: WAY_OUT });
    if (stat.size > MAX_BYTES)
      throw new IcepkgError('format-invalid', `${file}: larger than ${MAX_BYTES} bytes, so no ${kind}`);
    return fs.readFileSync(file, 'utf8');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR'))
      throw new IcepkgError('not-found', `${file}: no such ${kind}`, { cause, hint: WAY_OUT });
    if (isErrno(cause, 'EACCES'))
      throw new IcepkgError('io-failed', `${file}: cannot be read as a ${kind}`, { cause, hint: WAY_OUT });
    throw cause;
  }
}

/**
 * Checks a document.
 * @throws IcepkgError `format-invalid` with `file:line:column`, what was expected there, and the nearest known field
 */
export function decodeYaml<const S extends v.GenericSchema>(
  schema: S,
  source: YamlSource,
): YamlDocument<v.InferOutput<S>> {
  const { document, lines } = parsed(source);
  const placeOf = (offset: number): Place => {
    const { line, col: column } = lines.linePos(offset);
    return { file: source.file, line, column };
  };
  const place = (keys: Keys): Place => placeOf(offsetOf(document, keys));
  const fail = (offset: number, why: string, hint = source.manual): IcepkgError =>
    new IcepkgError('format-invalid', `${placeText(placeOf(offset))}: ${why}`, { hint });
  const refuse = (keys: Keys, why: string, hint?: string): IcepkgError =>
    fail(offsetOf(document, keys), keys.length === 0 ? why : `${fieldName(keys)}: ${why}`, hint);
  const result = v.safeParse(schema, toPlain(document, fail));
  if (result.success) return { value: result.output, place, refuse };
  const { issue, keys } = deepest(schema, likelyCause(result.issues));
  const offset = offsetOf(document, keys);
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const name = String(keys.at(-1));
    const guess = nearest(name, fieldsAt(schema, keys.slice(0, -1)));
    const known = source.foreign?.[name] ?? (guess === undefined ? undefined : `Did you mean ${guess}?`);
    throw fail(offset, `unknown field ${fieldName(keys)}`, known);
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined')
    throw fail(offset, `missing field ${fieldName(keys)}`);
  throw refuse(keys, said(issue), spellingHint(issue));
}

/** What the parser says of a line that begins in the wrong column. */
const MISPLACED = /without - indicator|same column|indent|block collection|tabs? (?:are|is) not/i;
const INDENTATION =
  'It is a matter of indentation: what belongs together begins in one column, with spaces and no tabs; look at this line and the one above';

function parsed({ text, file, manual }: YamlSource): ParsedYaml {
  try {
    return parseYaml(text, { version: '1.2' });
  } catch (cause) {
    if (!(cause instanceof YamlProblem)) throw cause;
    throw new IcepkgError('format-invalid', `${placeText({ ...cause.place, file })}: ${cause.message}`, {
      hint: MISPLACED.test(cause.message) ? INDENTATION : manual,
      cause,
    });
  }
}

/** Aliases are limited, so that a small document cannot grow without bound. */
function toPlain(document: Document.Parsed, fail: (offset: number, why: string) => IcepkgError): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    if (cause instanceof ReferenceError) throw fail(0, lowerFirst(cause.message));
    throw cause;
  }
}

type Key = string | number;
interface Issue {
  readonly type: string;
  readonly message: string;
  readonly expected: string | null;
  readonly received: string;
  readonly path?: readonly { readonly key: unknown }[] | undefined;
  readonly issues?: readonly Issue[] | undefined;
}

/** The schema's words, and those of fields that have none of their own in the words of YAML. */
const said = ({ message, expected, received }: Issue): string =>
  expected === 'Array' && message.startsWith('Invalid type')
    ? `expected a list, and found ${received}`
    : lowerFirst(message);

/** How what was written becomes what was meant, where YAML took it for something else. */
function spellingHint({ expected, received }: Issue): string | undefined {
  if (expected === null) return undefined;
  if (/\bstring\b/.test(expected) && /^(?:true|false|-?\d)/.test(received))
    return `YAML takes it for ${/^[tf]/.test(received) ? 'true or false' : 'a number'}: put it in quotes`;
  return expected === 'Array' && received.startsWith('"')
    ? `Write it as a list: [${received.slice(1, -1)}]`
    : undefined;
}

/** A misspelt field is also a missing one: naming what is there helps more. */
function likelyCause(issues: readonly [Issue, ...Issue[]]): Issue {
  const [first] = issues;
  if (first.type !== 'strict_object' || first.received !== 'undefined') return first;
  const parent = ({ path = [] }: Issue): string => JSON.stringify(path.slice(0, -1).map(({ key }) => key));
  const isUnknown = (one: Issue): boolean => one.type === 'strict_object' && one.expected === 'never';
  return issues.find((one) => isUnknown(one) && parent(one) === parent(first)) ?? first;
}

const fieldName = (keys: Keys): string =>
  keys
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .replace(/^\./, '');

/**
 * A union reports every branch. What the author meant shows in a value that is wrong, or in a field that no branch
 * knows; otherwise the union's own words are the best there are.
 */
function deepest(schema: unknown, issue: Issue, above: Keys = []): { issue: Issue; keys: Key[] } {
  const keys = [...above, ...(issue.path ?? []).map(({ key }) => key as Key)];
  const below = (issue.issues ?? []).filter((branch) => (branch.path?.length ?? 0) > 0);
  const known = fieldsAt(schema, keys);
  const inner =
    below.find((branch) => branch.type !== 'strict_object') ??
    below.find((branch) => branch.expected === 'never' && !known.includes(String(branch.path?.at(-1)?.key)));
  return inner === undefined ? { issue, keys } : deepest(schema, inner, keys);
}

/** Where the value of a path starts; for a missing key, where the innermost existing parent starts. */
function offsetOf(document: Document.Parsed, keys: Keys): number {
  for (let length = keys.length; length >= 0; length--) {
    const parent: unknown =
      length === 0 ? document.contents : document.getIn(keys.slice(0, length - 1), true);
    const key = keys[length - 1];
    if (
      typeof parent === 'object' &&
      parent !== null &&
      'items' in parent &&
      Array.isArray(parent.items) &&
      key !== undefined
    ) {
      for (const item of parent.items as unknown[]) {
        const name: unknown =
          typeof item === 'object' && item !== null && 'key' in item ? item.key : undefined;
        if (isNode(name) && name.toJSON() === key && name.range) return name.range[0];
      }
    }
    const node: unknown = length === 0 ? document.contents : document.getIn(keys.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

/** Names of the fields that the schema knows at a path. */
function fieldsAt(schema: unknown, keys: Keys): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const node = schema as Record<string, unknown>;
  if ('wrapped' in node) return fieldsAt(node['wrapped'], keys);
  if (Array.isArray(node['options'])) return node['options'].flatMap((option) => fieldsAt(option, keys));
  const [key, ...rest] = keys;
  if (key === undefined) return Object.keys(node['entries'] ?? {});
  if ('entries' in node) return fieldsAt((node['entries'] as Record<string, unknown>)[String(key)], rest);
  return fieldsAt(node['item'] ?? node['value'], rest);
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

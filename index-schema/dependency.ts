/**
 * The dependency language: `name`, `name@RANGE`, alternatives `a | b@^2`, a conflict `!name@RANGE`, and what
 * packages provide: `name` or `name@=VERSION`. A name is a package's or a capability's (`so:libz.so.1`, `cmd:[`).
 */
import { parseRange, parseVersion, type Version, type VersionRange } from './version.ts';

/** One name, perhaps narrowed to a range. */
export interface Requirement {
  readonly name: string;
  readonly range: VersionRange | undefined;
}

export type Dependency =
  | { readonly kind: 'needs'; readonly text: string; readonly anyOf: readonly Requirement[] }
  | { readonly kind: 'conflicts'; readonly text: string; readonly with: Requirement };

export interface Capability {
  readonly name: string;
  /** Absent for a virtual name, which no range can match. */
  readonly version: Version | undefined;
}

/** A package name, or `prefix:anything` without white space and the language's own signs. */
const NAME = /^(?:[A-Za-z0-9_][A-Za-z0-9_+.-]*|[a-z][a-z0-9-]*:[\x21-\x3f\x41-\x7b\x7d\x7e]+)$/;

/** Returns the dependency, or `undefined` where the text is none. */
export function parseDependency(text: string): Dependency | undefined {
  if (text.length > 2048) return undefined;
  const trimmed = text.trim();
  if (trimmed.startsWith('!')) {
    const requirement = parseRequirement(trimmed.slice(1));
    return requirement === undefined ? undefined : { kind: 'conflicts', text: trimmed, with: requirement };
  }
  const anyOf: Requirement[] = [];
  // A single bar parts alternatives; a double one belongs to a range.
  for (const part of trimmed.split(/(?<!\|)\|(?!\|)/)) {
    const requirement = parseRequirement(part.trim());
    if (requirement === undefined) return undefined;
    anyOf.push(requirement);
  }
  return { kind: 'needs', text: trimmed, anyOf };
}

export function parseRequirement(text: string): Requirement | undefined {
  const at = text.indexOf('@');
  const name = at === -1 ? text : text.slice(0, at);
  if (!NAME.test(name) || name.length > 512) return undefined;
  if (at === -1) return { name, range: undefined };
  const range = parseRange(text.slice(at + 1));
  return range === undefined ? undefined : { name, range };
}

/** Parses what a package provides: `NAME` or `NAME@=VERSION`, the release optional there. */
export function parseCapability(text: string): Capability | undefined {
  const at = text.indexOf('@');
  const name = at === -1 ? text : text.slice(0, at);
  if (!NAME.test(name) || name.length > 512) return undefined;
  if (at === -1) return { name, version: undefined };
  const value = text.slice(at + 1);
  if (!value.startsWith('=')) return undefined;
  const version = parseVersion(value.slice(1)) ?? parseVersion(`${value.slice(1)}-r0`);
  return version === undefined ? undefined : { name, version };
}

const OPERATORS: Readonly<Record<string, string>> = { '>>': '>', '<<': '<', '==': '=', '~=': '~' };

/**
 * How a dependency on one name is written that stands there as other package managers have it: `busybox>=1.0`,
 * `busybox (>= 1.0)`, `busybox=1.0`.
 */
export function dependencySpelling(text: string): string | undefined {
  const found =
    /^(!?)\s*([^\s<>=~^@(|]+)\s*@?\s*\(?\s*([<>]=|>>|<<|==|~=|[<>=~^])\s*([^\s)<>=]+)\s*\)?$/.exec(
      text.trim(),
    );
  if (found === null) return undefined;
  const [, conflict = '', name = '', operator = '', version = ''] = found;
  const meant = `${conflict}${name}@${OPERATORS[operator] ?? operator}${version}`;
  return parseDependency(meant) === undefined ? undefined : meant;
}

export const isDependency = (text: string): boolean => parseDependency(text) !== undefined;
export const isCapability = (text: string): boolean => parseCapability(text) !== undefined;

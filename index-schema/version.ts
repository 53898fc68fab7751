/**
 * Versions (`1.36.1-r2`: a semantic version and an integer release) and ranges over them.
 * A range is semver's, except that any full version in it may carry a release: `=1.36.1-r2`, `>=1.2.0-r3 <2`.
 * A comparator without a release disregards releases. Pre-releases count by their order, without semver's
 * rule that hides them, because a package that exists is a candidate.
 */
import SemVer from 'semver/classes/semver.js';
import Range from 'semver/classes/range.js';

export interface Version {
  readonly text: string;
  readonly semver: InstanceType<typeof SemVer>;
  readonly release: number;
}

const VERSION = /^([0-9][0-9A-Za-z.+-]*)-r(0|[1-9][0-9]{0,8})$/;

/** Returns the version, or `undefined` where the text is none. */
export function parseVersion(text: string): Version | undefined {
  const match = text.length <= 256 ? VERSION.exec(text) : null;
  if (match === null) return undefined;
  try {
    const semver = new SemVer(match[1] ?? '');
    const full = semver.build.length === 0 ? semver.version : `${semver.version}+${semver.build.join('.')}`;
    return full === match[1] ? { text, semver, release: Number(match[2]) } : undefined;
  } catch {
    return undefined;
  }
}

export const isVersion = (text: string): boolean => parseVersion(text) !== undefined;

/** Negative, zero or positive: semantic versions first (build metadata breaks ties), then releases. */
export function compareVersions(a: Version, b: Version): number {
  return a.semver.compare(b.semver) || a.semver.compareBuild(b.semver) || a.release - b.release;
}

interface Comparator {
  readonly operator: '' | '<' | '<=' | '>' | '>=';
  readonly semver: InstanceType<typeof SemVer> | undefined;
  readonly release: number | undefined;
}

/** A disjunction of conjunctions of comparators. */
export interface VersionRange {
  readonly text: string;
  readonly alternatives: readonly (readonly Comparator[])[];
}

const RELEASED_COMPARATOR = /^(<=|>=|<|>|=)?([0-9][0-9A-Za-z.+-]*)-r(0|[1-9][0-9]{0,8})$/;

/** Returns the range, or `undefined` where the text is none. */
export function parseRange(text: string): VersionRange | undefined {
  if (text.trim() === '' || text.length > 512) return undefined;
  const alternatives: Comparator[][] = [];
  for (const conjunction of text.split('||')) {
    const released: Comparator[] = [];
    const plain: string[] = [];
    for (const word of conjunction.trim().split(/\s+/)) {
      const match = RELEASED_COMPARATOR.exec(word);
      const version = match === null ? undefined : parseVersion(`${match[2]}-r${match[3]}`);
      if (match === null) plain.push(word);
      else if (version === undefined) return undefined;
      else released.push(comparator(match[1], version));
    }
    if (released.length > 0 && plain.join('') === '') {
      alternatives.push(released);
      continue;
    }
    try {
      for (const set of new Range(plain.join(' '), { includePrerelease: true }).set)
        alternatives.push([...released, ...set.map(fromSemver)]);
    } catch {
      return undefined;
    }
  }
  return { text, alternatives };
}

const comparator = (operator: string | undefined, version: Version): Comparator => ({
  operator: operator === undefined || operator === '=' ? '' : (operator as Comparator['operator']),
  semver: version.semver,
  release: version.release,
});

const fromSemver = (c: InstanceType<typeof Range>['set'][number][number]): Comparator => ({
  operator: c.operator as Comparator['operator'],
  semver: c.semver instanceof SemVer ? c.semver : undefined,
  release: undefined,
});

export function satisfies(version: Version, range: VersionRange): boolean {
  return range.alternatives.some((all) => all.every((c) => matches(version, c)));
}

function matches(version: Version, c: Comparator): boolean {
  if (c.semver === undefined) return true;
  const order =
    version.semver.compare(c.semver) || (c.release === undefined ? 0 : version.release - c.release);
  switch (c.operator) {
    case '':
      return order === 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

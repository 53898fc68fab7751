/** What one index says, arranged for looking things up: a pure function of its records. */
import { parseCapability, parseDependency } from '#schema/dependency';
import { ARCHES } from '#schema/fields';
import type { PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';
import { byVersion } from '../index-diff.ts';

export interface CataloguedPackage {
  readonly name: string;
  /** Newest first, then by architecture; never empty. */
  readonly records: readonly PackageRecord[];
  readonly newest: PackageRecord;
  /** Name, description and what it provides, in lower case, a line each. */
  readonly words: string;
}

export interface Catalogue {
  /** In the order of their names. */
  readonly packages: ReadonlyMap<string, CataloguedPackage>;
  /** Names of the packages that provide a capability, their own names left out. */
  readonly providers: ReadonlyMap<string, readonly string[]>;
  /** Names of the packages that need or recommend a name, of a package or of a capability. */
  readonly needers: ReadonlyMap<string, readonly string[]>;
}

export function buildCatalogue(records: Iterable<PackageRecord>): Catalogue {
  const grouped = new Map<string, PackageRecord[]>();
  for (const record of records) {
    const group = grouped.get(record.name);
    if (group === undefined) grouped.set(record.name, [record]);
    else group.push(record);
  }
  const packages = new Map<string, CataloguedPackage>();
  const providers = new Map<string, Set<string>>();
  const needers = new Map<string, Set<string>>();
  for (const [name, group] of [...grouped].sort(([a], [b]) => comparePaths(a, b))) {
    const one = catalogued(name, group);
    if (one === undefined) continue;
    packages.set(name, one);
    for (const record of newestOfEach(one)) {
      for (const text of record.provides ?? []) {
        const capability = parseCapability(text)?.name;
        if (capability !== undefined && capability !== name) addTo(providers, capability, name);
      }
      for (const text of [...(record.depends ?? []), ...(record.recommends ?? [])])
        for (const needed of namesNeeded(text)) addTo(needers, needed, name);
    }
  }
  return { packages, providers: frozen(providers), needers: frozen(needers) };
}

function catalogued(name: string, group: PackageRecord[]): CataloguedPackage | undefined {
  const order = (arch: PackageRecord['arch']): number => ARCHES.indexOf(arch);
  const records = group.sort((a, b) => byVersion(b.version, a.version) || order(a.arch) - order(b.arch));
  const [newest] = records;
  if (newest === undefined) return undefined;
  const words = [name, newest.description ?? '', ...(newest.provides ?? [])].join('\n').toLowerCase();
  return { name, records, newest, words };
}

/** The newest version for each architecture. */
export const newestOfEach = ({ records }: CataloguedPackage): PackageRecord[] => [
  ...new Map(records.toReversed().map((record) => [record.arch, record])).values(),
];

/** The names that a dependency can be met by; none for a conflict. */
export function namesNeeded(text: string): string[] {
  const dependency = parseDependency(text);
  return dependency?.kind === 'needs' ? dependency.anyOf.map(({ name }) => name) : [];
}

/** Packages that can stand for a name: the one of that name first. */
export function suppliersOf({ packages, providers }: Catalogue, name: string): readonly string[] {
  const others = providers.get(name) ?? [];
  return packages.has(name) ? [name, ...others] : others;
}

/** Packages that need something which this one is or provides, in the order of their names. */
export function dependentsOf({ needers }: Catalogue, one: CataloguedPackage): string[] {
  const names = new Set(needers.get(one.name));
  for (const record of newestOfEach(one))
    for (const text of record.provides ?? [])
      for (const needer of needers.get(parseCapability(text)?.name ?? '') ?? []) names.add(needer);
  names.delete(one.name);
  return [...names].sort(comparePaths);
}

/** Words of a query that count: each is looked for in every package. */
const MOST_TERMS = 12;

/** How well each term fits: the name first, then what is provided, then the description. */
function scoreOf({ name, words }: CataloguedPackage, terms: readonly string[]): number {
  let score = 0;
  const lower = name.toLowerCase();
  for (const term of terms) {
    if (!words.includes(term)) return -1;
    if (lower === term) score += 0;
    else if (words.includes(`\ncmd:${term}\n`) || words.endsWith(`\ncmd:${term}`)) score += 1;
    else if (lower.startsWith(term)) score += 2;
    else if (lower.includes(term)) score += 3;
    else if (words.includes(`\n${term}`)) score += 4;
    else score += 5;
  }
  return score;
}

/** Packages that every word of the query fits, the best first; all of them where there is no word. */
export function searchPackages({ packages }: Catalogue, query: string): readonly CataloguedPackage[] {
  const terms = [...new Set(query.toLowerCase().split(/\s+/).filter(Boolean))].slice(0, MOST_TERMS);
  if (terms.length === 0) return [...packages.values()];
  return [...packages.values()]
    .map((one) => ({ one, score: scoreOf(one, terms) }))
    .filter(({ score }) => score >= 0)
    .sort((a, b) => a.score - b.score || comparePaths(a.one.name, b.one.name))
    .map(({ one }) => one);
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

const frozen = (map: ReadonlyMap<string, Set<string>>): ReadonlyMap<string, readonly string[]> =>
  new Map([...map].map(([key, values]) => [key, [...values]]));

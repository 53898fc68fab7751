/** What the repositories offer: looked up where little is wanted, read whole where all of it is. */
import type { IndexShard, PackageRecord } from '#schema/index-shard';
import type { Candidate, InstalledPackage, World } from '../model.ts';
import { capabilityName, dependenciesOf } from '../solver/universe.ts';
import { conditionKey, namesIn, type Catalogue, type Place } from './catalogue.ts';

/** The index of one repository. */
export interface RepositoryIndex {
  readonly repository: string;
  readonly catalogue: Catalogue;
  /** Reads a shard that is in the catalogue. */
  readonly read: (shard: string) => IndexShard;
}

export class PackageIndex {
  readonly #repositories: readonly RepositoryIndex[];
  readonly #read = new Map<string, readonly Candidate[]>();

  /** @param repositories in order of preference */
  constructor(repositories: readonly RepositoryIndex[]) {
    this.#repositories = repositories;
  }

  /** How many packages there are. */
  get size(): number {
    return this.#repositories.reduce((sum, { catalogue }) => sum + catalogue.count(), 0);
  }

  all(): Candidate[] {
    return this.#find((catalogue) => catalogue.holding([]));
  }

  /** All versions of the packages of these names. */
  named(names: readonly string[]): Candidate[] {
    const wanted = new Set(names);
    return this.keyed(names).filter(({ record }) => wanted.has(record.name));
  }

  /** Packages that are called so, that provide or replace it, or, for a condition's key, that it brings along. */
  keyed(keys: readonly string[]): Candidate[] {
    return this.#find((catalogue) => catalogue.keyed(keys));
  }

  /** Packages with all of these words in their name, description or what they provide. */
  holding(words: readonly string[]): Candidate[] {
    return this.#find((catalogue) => catalogue.holding(words));
  }

  /** Names of packages and of what they provide. */
  names(): string[] {
    return this.#repositories.flatMap(({ catalogue }) => catalogue.names());
  }

  close(): void {
    for (const { catalogue } of this.#repositories) catalogue.close();
  }

  #find(lookUp: (catalogue: Catalogue) => readonly Place[]): Candidate[] {
    return this.#repositories.flatMap((index) => {
      const found = new Set<Candidate>();
      for (const { shard, position } of lookUp(index.catalogue)) {
        const candidate = this.#candidatesIn(index, shard)[position];
        if (candidate !== undefined) found.add(candidate);
      }
      return [...found];
    });
  }

  #candidatesIn({ repository, read }: RepositoryIndex, shard: string): readonly Candidate[] {
    const key = `${repository} ${shard}`;
    const known = this.#read.get(key);
    if (known !== undefined) return known;
    const source = { kind: 'repository', repository } as const;
    const candidates = read(shard).packages.map((record): Candidate => ({ record, source }));
    this.#read.set(key, candidates);
    return candidates;
  }
}

/** What the choice of packages begins with. */
export interface Beginning {
  readonly world: World;
  readonly installed: readonly InstalledPackage[];
  /** Packages that are offered besides, such as local files. */
  readonly others?: readonly Candidate[];
}

/**
 * All that could come into a root from here: whoever is asked for or needed, by all versions and providers there are.
 * A solver that is given these finds what it would find among all.
 */
export function reachable(index: PackageIndex, { world, installed, others = [] }: Beginning): Candidate[] {
  const keys = new Set([conditionKey(), ...namesIn(world.depends), ...Object.keys(world.pins)]);
  for (const { record } of [...installed, ...others]) for (const key of keysFrom(record)) keys.add(key);
  const found = new Set<Candidate>();
  for (let fresh = [...keys]; fresh.length > 0;) {
    const before = keys.size;
    for (const candidate of index.keyed(fresh)) {
      if (found.has(candidate)) continue;
      found.add(candidate);
      for (const key of keysFrom(candidate.record)) keys.add(key);
    }
    // A set keeps the order in which it was filled.
    fresh = [...keys].slice(before);
  }
  return [...found];
}

function* keysFrom({
  name,
  depends,
  recommends,
  provides = [],
  installIf,
}: PackageRecord): Generator<string> {
  yield name;
  yield* namesIn(depends);
  yield* namesIn(recommends);
  for (const condition of dependenciesOf(installIf))
    if (condition.kind === 'conflicts') yield condition.with.name;
  for (const offered of [name, ...provides.map(capabilityName)]) yield conditionKey(offered);
}

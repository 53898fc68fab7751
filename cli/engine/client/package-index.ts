/** What the repositories offer: looked up where little is wanted, read whole where all of it is. */
import type { PackageRecord } from '#schema/index-shard';
import type { Candidate, InstalledPackage, World } from '../model.ts';
import { capabilityName, dependenciesOf } from '../solver/universe.ts';
import { conditionKey, namesIn, type Catalogue, type Place } from './catalogue.ts';
import { parseRecord } from './shard.ts';

/** The index of one repository. */
export interface RepositoryIndex {
  readonly repository: string;
  readonly catalogue: Catalogue;
  /** The decompressed bytes of a shard that is in the catalogue. */
  readonly read: (shard: string) => Uint8Array;
}

export class PackageIndex {
  readonly #repositories: readonly RepositoryIndex[];
  readonly #shards = new Map<string, OpenShard>();

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
      const places = lookUp(index.catalogue);
      return [...new Set(places.map((place) => this.#candidateAt(index, place)))];
    });
  }

  /** The same object each time. */
  #candidateAt(index: RepositoryIndex, place: Place): Candidate {
    const { bytes, candidates } = this.#open(index, place.shard);
    const known = candidates.get(place.start);
    if (known !== undefined) return known;
    const source = { kind: 'repository', repository: index.repository } as const;
    const candidate: Candidate = { record: parseRecord(bytes, place), source };
    candidates.set(place.start, candidate);
    return candidate;
  }

  #open({ repository, read }: RepositoryIndex, shard: string): OpenShard {
    const key = `${repository} ${shard}`;
    const open = this.#shards.get(key) ?? { bytes: read(shard), candidates: new Map() };
    this.#shards.set(key, open);
    return open;
  }
}

interface OpenShard {
  readonly bytes: Uint8Array;
  /** Those that were asked for, by where they start. */
  readonly candidates: Map<number, Candidate>;
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

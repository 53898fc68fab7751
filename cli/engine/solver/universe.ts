/**
 * What there is to choose from: every package name with its candidates, and who provides what. Names become
 * variables, and dependencies are parsed, only when the search reaches them.
 */
import { parseCapability, parseDependency, type Dependency, type Requirement } from '#schema/dependency';
import { compareVersions, parseVersion, satisfies, type Version } from '#schema/version';
import type { Candidate, InstalledPackage } from '../model.ts';
import type { Standing } from './standing.ts';

/** A candidate in the domain of its name; `bit` stands for it in a mask. Bit 0 stands for absent. */
export interface Choice {
  readonly candidate: Candidate;
  readonly version: Version;
  readonly installed: boolean;
  readonly variable: Variable;
  readonly bit: bigint;
}

/** A package name whose value is one of its choices or absent. */
export interface Variable {
  readonly name: string;
  /** The most preferred first. */
  readonly choices: readonly Choice[];
  /** Every choice and absent. */
  readonly full: bigint;
}

/** A variable whose values are names of packages, for a name of which there is one only. */
export interface Once {
  readonly variable: Variable;
  readonly bits: ReadonlyMap<string, bigint>;
}

export const ABSENT = 1n;

/** The most preferred choice among these values, however many there are; absent is none. */
export function preferredOf({ choices }: Variable, values: bigint): Choice | undefined {
  const left = values & ~ABSENT;
  if (left === 0n) return undefined;
  const first = choices[0];
  if (first !== undefined && (left & first.bit) !== 0n) return first;
  // The number of the lowest bit, from the digits of a number that has no other.
  const digits = (left & -left).toString(16);
  return choices[(digits.length - 1) * 4 + Math.log2(Number.parseInt(digits.charAt(0), 16)) - 1];
}

export interface UniverseOptions {
  readonly arch: string;
  readonly candidates: readonly Candidate[];
  readonly installed: readonly InstalledPackage[];
  readonly upgrades: (name: string) => boolean;
  readonly preferAvailable: boolean;
  /** True for names that were asked for or installed before: only these are followed by what replaces them. */
  readonly followed: (name: string) => boolean;
  readonly standing: (candidate: Candidate) => Standing;
  /** Names that are offered beside those of the candidates. */
  readonly offeredNames: () => Iterable<string>;
}

interface Ranked {
  readonly candidate: Candidate;
  readonly version: Version;
  readonly installed: boolean;
  readonly standing: Standing;
  readonly order: number;
}

export class Universe {
  readonly #options: UniverseOptions;
  readonly #byName = new Map<string, Candidate[]>();
  /** Names of packages that provide a name, beside the package of that name itself; some more than once. */
  readonly #providing = new Map<string, string[]>();
  readonly #installed = new Map<string, InstalledPackage>();
  readonly #variables = new Map<string, Variable>();
  readonly #providers = new Map<string, ReadonlyMap<Variable, bigint>>();
  /** Plain names that a package provides with a version: they are there once. */
  readonly #unique = new Set<string>();
  readonly #once = new Map<string, Once>();
  readonly #sourceOrder = new Map<string, number>();
  readonly #conditional = new Map<string, Set<string>>();
  readonly #unconditioned = new Set<string>();
  readonly #successors = new Map<string, Set<string>>();

  constructor(options: UniverseOptions) {
    this.#options = options;
    for (const candidate of options.candidates) {
      const source = sourceOf(candidate);
      if (!this.#sourceOrder.has(source)) this.#sourceOrder.set(source, this.#sourceOrder.size);
      if (fits(candidate.record.arch, options.arch)) this.#add(candidate);
    }
    for (const one of options.installed) {
      this.#installed.set(one.record.name, one);
      const known = this.#byName
        .get(one.record.name)
        ?.some(({ record }) => record.manifest.sha256 === one.record.manifest.sha256);
      if (known !== true) this.#add({ record: one.record, source: { kind: 'installed' } });
    }
  }

  #add(candidate: Candidate): void {
    const { record } = candidate;
    put(this.#byName, record.name, candidate);
    for (const text of record.provides ?? []) {
      const capability = capabilityName(text);
      if (capability !== text && !capability.includes(':')) this.#unique.add(capability);
      const names = this.#providing.get(capability);
      if (names === undefined) this.#providing.set(capability, [record.name]);
      // The versions of a package mostly follow one another.
      else if (names.at(-1) !== record.name) names.push(record.name);
    }
    for (const dependency of dependenciesOf(record.replaces)) {
      if (dependency.kind !== 'needs') continue;
      for (const { name } of dependency.anyOf) addTo(this.#successors, name, record.name);
    }
    if (record.installIf === undefined || record.installIf.length === 0) return;
    const trigger = dependenciesOf(record.installIf).find(({ kind }) => kind === 'needs');
    if (trigger?.kind !== 'needs') this.#unconditioned.add(record.name);
    else for (const { name } of trigger.anyOf) addTo(this.#conditional, name, record.name);
  }

  #isInstalled = ({ record }: Candidate): boolean =>
    this.#installed.get(record.name)?.record.manifest.sha256 === record.manifest.sha256;

  installedNames(): readonly string[] {
    return [...this.#installed.keys()].sort();
  }

  installed(name: string): InstalledPackage | undefined {
    return this.#installed.get(name);
  }

  /** Packages whose first condition a package of this name, or what it provides, could meet. */
  conditionalOn(capability: string): readonly string[] {
    return [...(this.#conditional.get(capability) ?? [])].sort();
  }

  /** Packages with nothing but conflicts for conditions. */
  unconditioned(): readonly string[] {
    return [...this.#unconditioned].sort();
  }

  variable(name: string): Variable {
    const known = this.#variables.get(name);
    if (known !== undefined) return known;
    const made = this.#make(name);
    this.#variables.set(name, made);
    return made;
  }

  #make(name: string): Variable {
    const choices: Choice[] = [];
    const variable: { name: string; choices: readonly Choice[]; full: bigint } = {
      name,
      choices,
      full: ABSENT,
    };
    const ranked: Ranked[] = [];
    for (const candidate of this.#byName.get(name) ?? []) {
      const version = parseVersion(candidate.record.version);
      const standing = this.#options.standing(candidate);
      const installed = this.#isInstalled(candidate);
      if (version === undefined || (standing === 'never' && !installed)) continue;
      const order = this.#sourceOrder.get(sourceOf(candidate)) ?? this.#sourceOrder.size;
      ranked.push({ candidate, version, installed, standing, order });
    }
    // Brought in by what is pinned, a package stays with the repository it came from.
    const stays = ranked.some(({ installed, standing }) => installed && standing === 'last');
    const lastness = ({ standing }: Ranked): number =>
      Number(standing === 'never' || (standing === 'last' && !stays));
    ranked.sort((a, b) => lastness(a) - lastness(b) || this.#preference(a, b));
    for (const [index, { candidate, version, installed }] of ranked.entries()) {
      const bit = 1n << BigInt(index + 1);
      choices.push({ candidate, version, installed, variable, bit });
      variable.full |= bit;
    }
    return variable;
  }

  /** A named file, then what is installed unless upgrading, then the newest, then the first repository's. */
  #preference(a: Ranked, b: Ranked): number {
    const { name } = a.candidate.record;
    const isFile = ({ candidate }: Ranked): number => Number(candidate.source.kind === 'file');
    const isGone = ({ candidate, installed }: Ranked): number =>
      Number(installed && candidate.source.kind === 'installed' && this.#options.preferAvailable);
    const installedFirst = Number(b.installed) - Number(a.installed);
    return (
      isFile(b) - isFile(a) ||
      (this.#options.upgrades(name) ? isGone(a) - isGone(b) : installedFirst) ||
      compareVersions(b.version, a.version) ||
      installedFirst ||
      a.order - b.order ||
      (a.candidate.record.manifest.sha256 < b.candidate.record.manifest.sha256 ? -1 : 1)
    );
  }

  /** Everything that satisfies the requirement, as masks of variables; the package of that name comes first. */
  providers(requirement: Requirement): ReadonlyMap<Variable, bigint> {
    const key =
      requirement.range === undefined ? requirement.name : `${requirement.name}@${requirement.range.text}`;
    const known = this.#providers.get(key);
    if (known !== undefined) return known;
    const masks = new Map<Variable, bigint>();
    for (const name of this.providerNames(requirement.name)) {
      const variable = this.variable(name);
      let mask = 0n;
      for (const choice of variable.choices) {
        if (offerOf(choice, requirement) !== undefined) mask |= choice.bit;
      }
      if (mask !== 0n) masks.set(variable, mask);
    }
    this.#providers.set(key, masks);
    return masks;
  }

  /** The names of packages that are or provide this name in some version; the package itself first. */
  providerNames(name: string): readonly string[] {
    const others = new Set(this.#providing.get(name));
    others.delete(name);
    const sorted = [...others].sort();
    return this.#byName.has(name) ? [name, ...sorted] : sorted;
  }

  /** Of a name that can be there once only: which package is it. `undefined` for other names. */
  once(name: string): Once | undefined {
    if (!this.#unique.has(name)) return undefined;
    const known = this.#once.get(name);
    if (known !== undefined) return known;
    const bits = new Map<string, bigint>();
    for (const provider of this.providerNames(name)) bits.set(provider, 2n << BigInt(bits.size));
    const full = (2n << BigInt(bits.size)) - 1n;
    const made: Once = { variable: { name: `the one ${name}`, choices: [], full }, bits };
    this.#once.set(name, made);
    return made;
  }

  /**
   * What takes the place of a package that no repository offers any more: the candidates that replace it.
   * Where it is installed, the version counts that is. Nothing takes the place of a name that is asked for the first time.
   */
  successors(name: string): ReadonlyMap<Variable, bigint> {
    const masks = new Map<Variable, bigint>();
    const names = this.#successors.get(name);
    if (names === undefined || this.isOffered(name) || !this.#options.followed(name)) return masks;
    const there = this.#installed.get(name);
    const version = there === undefined ? undefined : parseVersion(there.record.version);
    for (const successor of [...names].sort()) {
      if (successor === name) continue;
      const variable = this.variable(successor);
      let mask = 0n;
      for (const { candidate, bit } of variable.choices) {
        if (replaces(candidate, name, version)) mask |= bit;
      }
      if (mask !== 0n) masks.set(variable, mask);
    }
    return masks;
  }

  /** Names of packages that replace some version of this one. */
  replacing(name: string): readonly string[] {
    return [...(this.#successors.get(name) ?? [])].sort();
  }

  /** True where a repository or a named file has a package of this name. */
  isOffered(name: string): boolean {
    return this.#byName.get(name)?.some(({ source }) => source.kind !== 'installed') === true;
  }

  get arch(): string {
    return this.#options.arch;
  }

  isMachine({ record }: Candidate): boolean {
    return fits(record.arch, this.#options.arch);
  }

  /** Every name there is, for suggestions. */
  *names(): Generator<string> {
    yield* this.#byName.keys();
    yield* this.#providing.keys();
    yield* this.#options.offeredNames();
  }

  /** Candidates of a name that may not be chosen here, for explanations. */
  barred(name: string): readonly Candidate[] {
    return this.#options.candidates.filter(
      (candidate) =>
        candidate.record.name === name &&
        (!fits(candidate.record.arch, this.#options.arch) ||
          (this.#options.standing(candidate) === 'never' && !this.#isInstalled(candidate))),
    );
  }
}

const fits = (arch: string, machine: string): boolean => arch === machine || arch === 'noarch';

const sourceOf = ({ source }: Candidate): string =>
  source.kind === 'repository' ? source.repository : source.kind === 'file' ? '(file)' : '(installed)';

function put<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function replaces({ record }: Candidate, name: string, version: Version | undefined): boolean {
  return dependenciesOf(record.replaces).some(
    (one) =>
      one.kind === 'needs' &&
      one.anyOf.some(
        (each) =>
          each.name === name &&
          (each.range === undefined || version === undefined || satisfies(version, each.range)),
      ),
  );
}

/** Something that satisfies a requirement: the package itself, or a capability with or without a version. */
export interface Offer {
  readonly own: boolean;
  readonly version: Version | undefined;
}

/** How a choice satisfies a requirement; `undefined` where it does not. */
export function offerOf(
  { candidate: { record }, version }: Pick<Choice, 'candidate' | 'version'>,
  { name, range }: Requirement,
): Offer | undefined {
  if (record.name === name && (range === undefined || satisfies(version, range)))
    return { own: true, version };
  for (const text of record.provides ?? []) {
    if (!text.startsWith(name) || capabilityName(text) !== name) continue;
    const offered = parseCapability(text)?.version;
    if (range === undefined || (offered !== undefined && satisfies(offered, range)))
      return { own: false, version: offered };
  }
  return undefined;
}

/** `so:libz.so.1` of `so:libz.so.1@=1.3.1`. */
export function capabilityName(text: string): string {
  const at = text.indexOf('@');
  return at === -1 ? text : text.slice(0, at);
}

export const nameOf = ({ record }: Candidate): string => `${record.name}-${record.version}`;

const parsed = new WeakMap<readonly string[], readonly Dependency[]>();

/** Parses a dependency list once. Texts were checked when the record was decoded. */
export function dependenciesOf(texts: readonly string[] | undefined): readonly Dependency[] {
  if (texts === undefined) return [];
  const known = parsed.get(texts);
  if (known !== undefined) return known;
  const made = texts.flatMap((text) => parseDependency(text) ?? []);
  parsed.set(texts, made);
  return made;
}

/**
 * What there is to choose from: every package name with its candidates, and who provides what. Names become
 * variables, and dependencies are parsed, only when the search reaches them.
 */
import { parseCapability, parseDependency, type Dependency, type Requirement } from '#schema/dependency';
import { compareVersions, parseVersion, satisfies, type Version } from '#schema/version';
import type { Candidate, InstalledPackage } from '../model.ts';

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

export const ABSENT = 1n;

export interface UniverseOptions {
  readonly arch: string;
  readonly candidates: readonly Candidate[];
  readonly installed: readonly InstalledPackage[];
  readonly upgrades: (name: string) => boolean;
  readonly preferAvailable: boolean;
}

export class Universe {
  readonly #options: UniverseOptions;
  readonly #byName = new Map<string, Candidate[]>();
  readonly #providerNames = new Map<string, Set<string>>();
  readonly #installed = new Map<string, InstalledPackage>();
  readonly #variables = new Map<string, Variable>();
  /** Names of packages that have conditions under which they come by themselves. */
  readonly conditional = new Set<string>();

  constructor(options: UniverseOptions) {
    this.#options = options;
    for (const candidate of options.candidates) {
      if (candidate.record.arch === options.arch || candidate.record.arch === 'noarch') this.#add(candidate);
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
    const list = this.#byName.get(record.name);
    if (list === undefined) this.#byName.set(record.name, [candidate]);
    else if (list.every((other) => other.record.version !== record.version)) list.push(candidate);
    else if (this.#isInstalled(candidate)) list.push(candidate);
    this.#provide(record.name, record.name);
    for (const text of record.provides ?? []) this.#provide(text.split('@', 1)[0] ?? text, record.name);
    if (record.installIf !== undefined && record.installIf.length > 0) this.conditional.add(record.name);
  }

  #isInstalled = ({ record }: Candidate): boolean =>
    this.#installed.get(record.name)?.record.manifest.sha256 === record.manifest.sha256;

  #provide(capability: string, name: string): void {
    const names = this.#providerNames.get(capability);
    if (names === undefined) this.#providerNames.set(capability, new Set([name]));
    else names.add(name);
  }

  installedNames(): readonly string[] {
    return [...this.#installed.keys()].sort();
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
    const sorted = (this.#byName.get(name) ?? [])
      .flatMap((candidate) => {
        const version = parseVersion(candidate.record.version);
        return version === undefined ? [] : [{ candidate, version, installed: this.#isInstalled(candidate) }];
      })
      .sort((a, b) => this.#preference(name, a, b));
    for (const [index, one] of sorted.entries()) {
      const bit = 1n << BigInt(index + 1);
      choices.push({ ...one, variable, bit });
      variable.full |= bit;
    }
    return variable;
  }

  /** Installed before newer unless upgrading; then newest; at the same version what is installed, then the first repository's. */
  #preference(
    name: string,
    a: Omit<Choice, 'variable' | 'bit'>,
    b: Omit<Choice, 'variable' | 'bit'>,
  ): number {
    const installedFirst = Number(b.installed) - Number(a.installed);
    if (!this.#options.upgrades(name)) return installedFirst || compareVersions(b.version, a.version);
    const gone = ({ candidate }: Omit<Choice, 'variable' | 'bit'>): number =>
      Number(this.#options.preferAvailable && candidate.source.kind === 'installed');
    return gone(a) - gone(b) || compareVersions(b.version, a.version) || installedFirst;
  }

  /** Everything that satisfies the requirement, as masks of variables; the package of that name comes first. */
  providers({ name, range }: Requirement): ReadonlyMap<Variable, bigint> {
    const masks = new Map<Variable, bigint>();
    for (const provider of this.#providerNames.get(name) ?? []) {
      const variable = this.variable(provider);
      let mask = 0n;
      for (const choice of variable.choices) {
        const offered = provider === name ? [choice.version] : [];
        for (const text of choice.candidate.record.provides ?? []) {
          if (text !== name && !text.startsWith(`${name}@`)) continue;
          offered.push(parseCapability(text)?.version ?? choice.version);
          if (range !== undefined && parseCapability(text)?.version === undefined) offered.pop();
        }
        if (offered.some((version) => range === undefined || satisfies(version, range))) mask |= choice.bit;
      }
      if (mask !== 0n) masks.set(variable, mask);
    }
    return masks;
  }

  /** What anyone offers under a name, for explanations. */
  offered(name: string): readonly string[] {
    return [...(this.#providerNames.get(name) ?? [])].flatMap((provider) =>
      this.variable(provider).choices.map(({ candidate }) => nameOf(candidate)),
    );
  }
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

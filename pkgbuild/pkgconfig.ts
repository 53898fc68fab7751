/** Reads `.pc` files: the version they state and what they require (pkg-config(1), "METADATA FILE SYNTAX"). */
import { parseRange, parseVersion } from '#schema/version';

export interface PkgConfigFile {
  readonly version: string | undefined;
  readonly requires: readonly PkgConfigRequirement[];
}
export interface PkgConfigRequirement {
  readonly name: string;
  readonly operator: string | undefined;
  readonly version: string | undefined;
}

export function parsePkgConfig(text: string): PkgConfigFile {
  const variables = new Map<string, string>();
  const fields = new Map<string, string>();
  // One pass in order: a variable may only use variables defined before it.
  for (const line of text.replaceAll(/\\\n/g, ' ').split('\n')) {
    const match = /^\s*([A-Za-z0-9_.]+)\s*([=:])\s*(.*?)\s*$/.exec(line.replace(/#.*/, ''));
    if (match === null) continue;
    const value = (match[3] ?? '').replaceAll(
      /\$\{([A-Za-z0-9_.]+)\}/g,
      (_, name: string) => variables.get(name) ?? '',
    );
    (match[2] === '=' ? variables : fields).set(match[1] ?? '', value);
  }
  const requires = ['Requires', 'Requires.private', 'Requires.internal'].flatMap((field) =>
    parseRequires(fields.get(field) ?? ''),
  );
  const version = fields.get('Version');
  return { version: version === '' ? undefined : version, requires };
}

function parseRequires(list: string): PkgConfigRequirement[] {
  const words = list
    .replaceAll(/(<=|>=|!=|<|>|=)/g, ' $1 ')
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  const requirements: PkgConfigRequirement[] = [];
  for (let i = 0; i < words.length; i++) {
    const name = words[i] ?? '';
    if (/^(?:<=|>=|!=|<|>|=)$/.test(words[i + 1] ?? '')) {
      requirements.push({ name, operator: words[i + 1], version: words[i + 2] });
      i += 2;
    } else requirements.push({ name, operator: undefined, version: undefined });
  }
  return requirements;
}

/** `6.4` as the semantic version `6.4.0`; `undefined` where a version has no such form. */
export function asSemver(version: string): string | undefined {
  const match = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(version);
  if (match === null) return undefined;
  const text = [match[1], match[2] ?? '0', match[3] ?? '0'].map((part) => String(Number(part))).join('.');
  return parseVersion(`${text}-r0`) === undefined ? undefined : text;
}

/** The requirement as a dependency on the capability `pc:NAME`. A version that is not semantic is left out. */
export function pkgConfigDependency({ name, operator, version }: PkgConfigRequirement): string {
  const semver = version === undefined ? undefined : asSemver(version);
  if (operator === undefined || operator === '!=' || semver === undefined) return `pc:${name}`;
  const range = `${operator}${semver}`;
  return parseRange(range) === undefined ? `pc:${name}` : `pc:${name}@${range}`;
}

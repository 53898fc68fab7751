/**
 * Packages shaped after those of a Debian mirror, as `apt-cache dumpavail` lists them: their names, descriptions,
 * versions, dependencies and sections, in the languages of icepkg. What is in them is one small file each.
 */
import { execFileSync } from 'node:child_process';
import type { PackageMetadata } from '#schema/container/write';
import { parseDependency } from '#schema/dependency';
import { parseVersion, satisfies } from '#schema/version';

/** The stanza of one package: fields by name. */
export type Stanza = Readonly<Record<string, string>>;

export interface ShapedPackage {
  readonly metadata: PackageMetadata;
  readonly section: string;
  /** What Debian says, for a peer's repository. */
  readonly stanza: Stanza;
}

/** The first `count` packages of this machine's mirror, in the order of the list; each name once. */
export function debianPackages(count: number): ShapedPackage[] {
  const text = execFileSync('apt-cache', ['dumpavail'], { encoding: 'utf8', maxBuffer: 2 ** 30 });
  const stanzas = new Map<string, Stanza>();
  for (const block of text.split('\n\n')) {
    const stanza = readStanza(block);
    const name = stanza['Package'] ?? '';
    if (/^[A-Za-z0-9][A-Za-z0-9+.-]*$/.test(name) && stanzas.size < count) stanzas.set(name, stanza);
  }
  const versions = new Map([...stanzas].map(([name, { Version = '' }]) => [name, versionOf(Version)]));
  const offered = new Set(versions.keys());
  for (const { Provides = '' } of stanzas.values())
    for (const one of Provides.split(',')) offered.add(nameOf(one));
  const fulfilled = (text: string): boolean => isFulfilled(text, versions, offered);
  return [...stanzas.values()].map((stanza) => shape(stanza, fulfilled));
}

function readStanza(block: string): Stanza {
  const fields: Record<string, string> = {};
  let last = '';
  for (const line of block.split('\n')) {
    const colon = line.indexOf(': ');
    if (line.startsWith(' ')) fields[last] += ` ${line.trim()}`;
    else if (colon > 0) fields[(last = line.slice(0, colon))] = line.slice(colon + 2);
  }
  return fields;
}

function shape(stanza: Stanza, fulfilled: (text: string) => boolean): ShapedPackage {
  const name = stanza['Package'] ?? '';
  const section = (stanza['Section'] ?? 'misc').replace(/^.*\//, '');
  const needs = (field: string): string[] =>
    (stanza[field] ?? '').split(',').flatMap((text) => dependencyOf(text, fulfilled) ?? []);
  const depends = [...new Set([...needs('Pre-Depends'), ...needs('Depends'), ...conflictsOf(stanza)])];
  const recommends = [...new Set(needs('Recommends'))];
  const provides = providesOf(stanza, section);
  const { Version = '', Description = '', Homepage, Maintainer, Source } = stanza;
  const metadata: PackageMetadata = {
    name,
    version: versionOf(Version),
    arch: stanza['Architecture'] === 'all' ? 'noarch' : 'x86_64',
    description: Description,
    upstreamVersion: Version,
    license: 'GPL-2.0-or-later',
    origin: (Source ?? name).replace(/ .*/, ''),
    buildTime: 1_700_000_000,
    ...(Homepage === undefined ? {} : { url: Homepage }),
    ...(Maintainer === undefined ? {} : { maintainer: Maintainer }),
    ...(depends.length === 0 ? {} : { depends }),
    ...(recommends.length === 0 ? {} : { recommends }),
    ...(provides.length === 0 ? {} : { provides }),
  };
  return { metadata, section, stanza };
}

/** `1:2.34~rc1-5+b2` becomes `2.34.0-r5`. */
export function versionOf(text: string): string {
  const [upstream = '', ...revision] = text.replace(/^\d+:/, '').split('-');
  const number = (digits: string | undefined): number => Number((digits ?? '0').slice(0, 9));
  const [major, minor, patch] = (/\d+(?:\.\d+)*/.exec(upstream)?.[0] ?? '0').split('.');
  const release = number(/\d+/.exec(revision.at(-1) ?? '')?.[0]);
  return `${number(major)}.${number(minor)}.${number(patch)}-r${release}`;
}

const nameOf = (text: string): string => text.trim().replace(/[\s:([].*$/s, '');

/** `libc6 (>= 2.34) | libc` with the alternatives that anything here fulfils; `undefined` where nothing does. */
function dependencyOf(text: string, fulfilled: (text: string) => boolean): string | undefined {
  const alternatives = text.split('|').flatMap((one) => {
    const name = nameOf(one);
    if (name === '' || !fulfilled(name)) return [];
    const [, operator = '', version = ''] = /\((<<|<=|=|>=|>>) ?([^)]+)\)/.exec(one) ?? [];
    const sign = operator.replace(/<</, '<').replace(/>>/, '>');
    const ranged = `${name}@${sign}${versionOf(version).replace(/-r\d+$/, '')}`;
    return [operator !== '' && fulfilled(ranged) ? ranged : name];
  });
  return alternatives.length === 0 ? undefined : [...new Set(alternatives)].join(' | ');
}

function isFulfilled(
  text: string,
  versions: ReadonlyMap<string, string>,
  offered: ReadonlySet<string>,
): boolean {
  const parsed = parseDependency(text);
  if (parsed?.kind !== 'needs') return false;
  return parsed.anyOf.some(({ name, range }) => {
    const version = parseVersion(versions.get(name) ?? '');
    if (range === undefined) return offered.has(name);
    return version !== undefined && satisfies(version, range);
  });
}

/** Debian's conflicts of whole names, but not with what the package itself provides. */
function conflictsOf({ Conflicts = '', Provides = '', Package = '' }: Stanza): string[] {
  const own = new Set([Package, ...Provides.split(',').map(nameOf)]);
  return Conflicts.split(',')
    .filter((text) => !text.includes('(') && nameOf(text) !== '' && !own.has(nameOf(text)))
    .map((text) => `!${nameOf(text)}`);
}

function providesOf({ Package: name = '', Provides = '' }: Stanza, section: string): string[] {
  const virtual = Provides.split(',').flatMap((text) => {
    const provided = nameOf(text);
    return /^[A-Za-z0-9][A-Za-z0-9+.-]*$/.test(provided) && provided !== name ? [provided] : [];
  });
  const kind = section === 'libs' ? 'so' : section === 'libdevel' ? 'pc' : 'cmd';
  return [...new Set([...virtual, `${kind}:${name}`])];
}

/** Asks where the sources come from for newer versions. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { compareVersions, parseVersion } from '#schema/version';
import type { LoadedRecipe } from '../recipe.ts';
import type { Recipe } from '../recipe-schema.ts';
import { mapDebianVersion } from '../sources/debian-version.ts';
import { queryApt } from '../sources/debian.ts';
import type { Source } from '../sources/schema.ts';
import { fetchUrl } from '../sources/url.ts';
import { parseControl } from './control.ts';

export interface UpdateState {
  readonly name: string;
  /** As the source calls it. */
  readonly version: string;
  readonly state: 'current' | 'outdated' | 'unknown';
  /** The newest version, as the place calls it. */
  readonly newest?: string;
  /** What was asked: a Debian package, or the address of a list of files. */
  readonly asked?: string;
  /** Why it is unknown. */
  readonly reason?: string;
}

interface Offer {
  readonly asked: string;
  /** Versions as upstream calls them. */
  readonly versions: readonly string[];
}

/** States of the recipes, in their order. A place that does not answer makes a recipe unknown, and nothing else. */
export async function findOutdated(
  recipes: readonly LoadedRecipe[],
  cacheFolder: string,
): Promise<UpdateState[]> {
  const firsts = recipes.map(({ recipe }) => recipe.sources.find((source) => !('path' in source)));
  const debian = await askDebian(
    firsts.flatMap((source) => (source === undefined ? [] : debianNames(source))),
    cacheFolder,
  );
  const states: UpdateState[] = [];
  for (const [index, { recipe }] of recipes.entries())
    states.push(await stateOf(recipe, firsts[index], debian));
  return states;
}

async function stateOf(
  recipe: Recipe,
  source: Source | undefined,
  debian: DebianOffers,
): Promise<UpdateState> {
  const { name } = recipe;
  const version = currentVersion(recipe, source);
  if (source === undefined) return { name, version, state: 'unknown', reason: 'it is made here' };
  const reasons: string[] = [];
  for (const ask of questions(source, version, debian)) {
    try {
      const { asked, versions } = await ask();
      const newest = highest(versions);
      if (newest !== undefined)
        return { name, version, state: isNewer(newest, version) ? 'outdated' : 'current', newest, asked };
      reasons.push(`${asked} names no version`);
    } catch (error) {
      if (!(error instanceof IcepkgError) || error.code === 'cancelled') throw error;
      reasons.push(error.message);
    }
  }
  const reason = reasons.length === 0 ? 'no place of its source can be asked' : reasons.join('; ');
  return { name, version, state: 'unknown', reason };
}

/** What upstream calls the version: it stands in the name of Debian's archive, or in the recipe. */
function currentVersion(recipe: Recipe, source: Source | undefined): string {
  if (source !== undefined && 'deb' in source) return upstreamPart(source.version);
  const said = recipe.upstreamVersion ?? recipe.version;
  if (source === undefined || !('file' in source)) return said;
  const named = /^[^_]+_(.+?)(?:\.orig)?\.tar\.[a-z0-9]+$/.exec(source.file)?.[1];
  return named === undefined ? upstreamPart(said) : withoutRepack(named);
}

/** Without what Debian says about files that it left out. */
const withoutRepack = (version: string): string => version.replace(/[+.~](?:dfsg|ds|repack)[\d.]*$/, '');

/** Without epoch and revision. */
const upstreamPart = (version: string): string =>
  withoutRepack(version.replace(/^\d+:/, '').replace(/-[^-]+$/, ''));

interface DebianName {
  readonly name: string;
  /** A source package, or a binary one. */
  readonly kind: 'source' | 'binary';
}

function debianNames(source: Source): DebianName[] {
  if ('deb' in source) return [{ name: source.deb, kind: 'binary' }];
  if (!('file' in source)) return [];
  return source.from.flatMap((place): DebianName[] => {
    if ('debian' in place) return [{ name: place.debian, kind: 'source' }];
    return 'debian-binary' in place ? [{ name: place['debian-binary'], kind: 'binary' }] : [];
  });
}

interface DebianOffers {
  offer(name: DebianName): Promise<Offer>;
}

/** All packages in two questions, because apt reads all its lists for each. */
async function askDebian(names: readonly DebianName[], cacheFolder: string): Promise<DebianOffers> {
  const found = new Map<string, string[]>();
  let failure: IcepkgError | undefined;
  for (const kind of ['source', 'binary'] as const) {
    const wanted = names.filter((one) => one.kind === kind).map(({ name }) => name);
    if (wanted.length === 0) continue;
    const verb = kind === 'source' ? ['showsrc', '--only-source'] : ['show'];
    try {
      for (const stanza of parseControl(await queryApt([...verb, ...new Set(wanted)], cacheFolder))) {
        const key = `${kind} ${stanza['package'] ?? ''}`;
        found.set(key, [...(found.get(key) ?? []), upstreamPart(stanza['version'] ?? '')]);
      }
    } catch (error) {
      if (!(error instanceof IcepkgError) || error.code === 'cancelled') throw error;
      failure = error;
    }
  }
  return {
    async offer({ name, kind }) {
      if (failure !== undefined) throw failure;
      return { asked: `debian ${name}`, versions: found.get(`${kind} ${name}`) ?? [] };
    },
  };
}

type Question = () => Promise<Offer>;

/** In the order to ask: what apt knows answers without a connection. */
function questions(source: Source, version: string, debian: DebianOffers): Question[] {
  const packages = debianNames(source).map(
    (name): Question =>
      () =>
        debian.offer(name),
  );
  const from = 'file' in source ? source.from : [];
  const lists = from.flatMap((place): Question[] =>
    'url' in place && place.url.startsWith('http') ? [() => askList(place.url, version)] : [],
  );
  return [...packages, ...lists];
}

/** Looks for names like that of the file in the folder that it is in. */
async function askList(url: string, version: string): Promise<Offer> {
  const folder = url.slice(0, url.lastIndexOf('/') + 1);
  const name = url.slice(folder.length);
  const at = name.indexOf(version);
  if (at === -1) return { asked: folder, versions: [] };
  const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(
    `${escape(name.slice(0, at))}(\\d[\\w.]*?)${escape(name.slice(at + version.length))}(?![\\w.])`,
    'g',
  );
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-list-'));
  try {
    const [file = ''] = await fetchUrl(folder, path.join(scratch, 'list'));
    const text = fs.readFileSync(file, 'utf8');
    return { asked: folder, versions: [...text.matchAll(pattern)].map((match) => match[1] ?? '') };
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function highest(versions: readonly string[]): string | undefined {
  return versions.reduce<string | undefined>(
    (best, version) => (best === undefined || isNewer(version, best) ? version : best),
    undefined,
  );
}

function isNewer(a: string, b: string): boolean {
  if (a === b) return false;
  const [first, second] = [a, b].map((text) => {
    const mapped = mapDebianVersion(text)?.version;
    return mapped === undefined ? undefined : parseVersion(`${mapped}-r0`);
  });
  return first !== undefined && (second === undefined || compareVersions(first, second) > 0);
}

/** Asks where the sources come from for newer versions. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { compareVersions, parseRange, parseVersion, satisfies, type Version } from '#schema/version';
import type { LoadedRecipe } from '../recipe.ts';
import type { Recipe } from '../recipe-schema.ts';
import { mapDebianVersion } from '../sources/debian-version.ts';
import { queryApt } from '../sources/debian.ts';
import { npmVersions } from '../sources/npm.ts';
import type { Source } from '../sources/schema.ts';
import { fetchUrl } from '../sources/url.ts';
import { parseControl } from './control.ts';
import { listTags } from './git-tags.ts';

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
  const names = recipes.flatMap(({ recipe }, index) => namesToAsk(recipe, firsts[index]));
  const debian = await askDebian(names, cacheFolder);
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
  const { update } = recipe;
  if (update?.manual !== undefined) return { name, version, state: 'unknown', reason: update.manual };
  if (source === undefined && update === undefined)
    return { name, version, state: 'unknown', reason: 'it is made here' };
  const reasons: string[] = [];
  const ask = [
    ...updateQuestions(update ?? {}, debian),
    ...(namesPlace(update) ? [] : questions(source, { version, update, debian })),
  ];
  for (const question of ask) {
    try {
      const { asked, versions } = await question();
      const newest = highest(versions.filter((one) => isWanted(one, update)));
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

interface Asking {
  readonly version: string;
  readonly update: Update | undefined;
  readonly debian: DebianOffers;
}

/** In the order to ask: what apt knows answers without a connection. */
function questions(source: Source | undefined, { version, update, debian }: Asking): Question[] {
  if (source === undefined) return [];
  if ('npm' in source) return [() => askNpm(source.npm, update?.within !== undefined)];
  const packages = debianNames(source).map(
    (name): Question =>
      () =>
        debian.offer(name),
  );
  const from = 'file' in source ? source.from : [];
  const lists = from.flatMap((place): Question[] => {
    if ('git' in place) return [() => askTags(place.git, VERSION)];
    return 'url' in place && place.url.startsWith('http') ? [() => askList(place.url, version)] : [];
  });
  return [...packages, ...lists];
}

type Update = NonNullable<Recipe['update']>;

/** Else the source is asked, within what the recipe says of versions. */
const namesPlace = (update: Update | undefined): boolean =>
  (update?.debian ?? update?.url ?? update?.git) !== undefined;

const namesToAsk = ({ update }: Recipe, source: Source | undefined): DebianName[] => {
  if (update !== undefined && namesPlace(update))
    return update.debian === undefined ? [] : [{ name: update.debian, kind: 'source' }];
  return source === undefined ? [] : debianNames(source);
};

/** What the recipe says about where new versions show. */
function updateQuestions({ debian: name, url, git, pattern }: Update, debian: DebianOffers): Question[] {
  const found = pattern === undefined ? undefined : new RegExp(pattern, 'g');
  return [
    ...(name === undefined ? [] : [() => debian.offer({ name, kind: 'source' })]),
    ...(url === undefined ? [] : [() => askPage(url, found ?? VERSION)]),
    ...(git === undefined ? [] : [() => askTags(git, found ?? VERSION)]),
  ];
}

const VERSION = /\bv?(\d+(?:\.\d+)+\w*)/g;

function isWanted(version: string, update: Update | undefined): boolean {
  if (update?.ignore?.includes(version) === true) return false;
  if (update?.within === undefined) return true;
  const range = parseRange(update.within);
  const mapped = mappedVersion(version);
  return range !== undefined && mapped !== undefined && satisfies(mapped, range);
}

/** Looks for names like that of the file in the folder that it is in. */
function askList(url: string, version: string): Promise<Offer> {
  const folder = url.slice(0, url.lastIndexOf('/') + 1);
  const name = url.slice(folder.length);
  const at = name.indexOf(version);
  if (at === -1) return Promise.resolve({ asked: folder, versions: [] });
  const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const [before, after] = [name.slice(0, at), name.slice(at + version.length)].map(escape);
  return askPage(folder, new RegExp(`${before}(\\d[\\w.]*?)${after}(?![\\w.])`, 'g'));
}

/** @param pattern with one group, the version */
async function askPage(url: string, pattern: RegExp): Promise<Offer> {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-list-'));
  try {
    const [file = ''] = await fetchUrl(url, path.join(scratch, 'list'));
    return { asked: url, versions: versionsIn(fs.readFileSync(file, 'utf8'), pattern) };
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

async function askTags(url: string, pattern: RegExp): Promise<Offer> {
  return { asked: url, versions: versionsIn([...(await listTags(url)).keys()].join('\n'), pattern) };
}

/** The one that the registry calls the latest, or, to choose from by a range, all that are no pre-releases. */
async function askNpm(name: string, all: boolean): Promise<Offer> {
  const versions = await npmVersions(name);
  return { asked: `npm ${name}`, versions: all ? versions.all : [versions.latest] };
}

const versionsIn = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? '').filter((version) => version !== '');

function highest(versions: readonly string[]): string | undefined {
  return versions.reduce<string | undefined>(
    (best, version) => (best === undefined || isNewer(version, best) ? version : best),
    undefined,
  );
}

function isNewer(a: string, b: string): boolean {
  if (a === b) return false;
  const [first, second] = [mappedVersion(a), mappedVersion(b)];
  return first !== undefined && (second === undefined || compareVersions(first, second) > 0);
}

function mappedVersion(text: string): Version | undefined {
  const mapped = mapDebianVersion(text)?.version;
  return mapped === undefined ? undefined : parseVersion(`${mapped}-r0`);
}

/** One source of a recipe at another version: what is fetched, and what changes in the recipe. */
import { IcepkgError } from '#schema/error';
import type { Recipe } from '../recipe-schema.ts';
import type { DebianLocation, GitLocation, NpmSource, Source, SourceLocation } from '../sources/schema.ts';
import { fetchFresh, type FreshOrigin, type FreshSource } from './fresh-source.ts';
import { commitOf, listTags } from './git-tags.ts';
import type { Respell } from './spelling.ts';
import type { YamlEdit } from './yaml-edit.ts';

export interface Raise {
  readonly recipe: Recipe;
  /** As upstream calls it. */
  readonly version: string;
  readonly respell: Respell;
  readonly cacheFolder: string;
}

export interface RaisedSource {
  readonly file: string;
  readonly sha256: string;
  readonly edits: readonly YamlEdit[];
}

type Fetched = Extract<Source, { readonly file: string }>;

/** `undefined` for a source that has nothing to do with the version of the recipe. */
export async function raiseSource(
  source: Source,
  at: readonly [string, number],
  raise: Raise,
): Promise<RaisedSource | undefined> {
  if ('npm' in source)
    return source.version === raise.recipe.version ? raiseNpm(source, at, raise) : undefined;
  if (!('file' in source)) return undefined;
  const commits = await newCommits(source, raise);
  return commits === undefined ? undefined : raiseFile(source, at, { ...raise, commits });
}

async function raiseNpm(
  { npm }: NpmSource,
  at: readonly [string, number],
  { version, cacheFolder }: Raise,
): Promise<RaisedSource> {
  const { file, sha256 } = await fetchFresh({ npm, version }, cacheFolder);
  const edits = [
    { keys: [...at, 'version'], value: version },
    { keys: [...at, 'sha256'], value: sha256 },
  ];
  return { file, sha256, edits };
}

const followsVersion = (source: Fetched, respell: Respell): boolean =>
  respell(source.file) !== source.file ||
  source.from.some((place) => 'url' in place && respell(place.url) !== place.url);

type Commits = ReadonlyMap<SourceLocation, string>;

/**
 * Commits of the version's tags, for the places in git; `undefined` where the source does not follow the version: neither
 * its names hold it, nor has the pinned commit a tag that does.
 * @throws IcepkgError `source-failed` where there is no such tag
 */
async function newCommits(source: Fetched, { version, respell }: Raise): Promise<Commits | undefined> {
  const places = source.from.filter((place) => 'git' in place);
  const tagged = await Promise.all(places.map(async (place) => ({ place, tags: await listTags(place.git) })));
  const isTagged = tagged.some(({ place, tags }) =>
    [...tags].some(([name, commit]) => commit === place.commit && respell(name) !== name),
  );
  if (!isTagged && !followsVersion(source, respell)) return undefined;
  return new Map(
    tagged.map(({ place, tags }) => {
      const commit = commitOf(tags, { version, before: place.commit, respell });
      if (commit === undefined) throw noTag(place, version, [...tags.keys()]);
      return [place, commit];
    }),
  );
}

const noTag = ({ git }: GitLocation, version: string, tags: readonly string[]): IcepkgError =>
  new IcepkgError('source-failed', `${git}: has no tag for version ${version}`, {
    hint:
      tags.length === 0
        ? 'It has no tags at all: change the commit and the sha256 by hand'
        : `Its last tags are ${tags.slice(-5).join(', ')}`,
  });

interface RaiseFile extends Raise {
  readonly commits: Commits;
}

async function raiseFile(
  source: Fetched,
  at: readonly [string, number],
  raise: RaiseFile,
): Promise<RaisedSource> {
  const came = await fetchNew(source, raise);
  const places = source.from.flatMap((place, position): YamlEdit[] => {
    const keys = [...at, 'from', position];
    if ('url' in place) return [{ keys: [...keys, 'url'], value: raise.respell(place.url) }];
    if ('git' in place)
      return [{ keys: [...keys, 'commit'], value: raise.commits.get(place) ?? place.commit }];
    if (place.version === undefined) return [];
    return [{ keys: [...keys, 'version'], value: came.debianVersion ?? raise.respell(place.version) }];
  });
  const edits = [
    { keys: [...at, 'file'], value: came.file },
    { keys: [...at, 'sha256'], value: came.sha256 },
    ...places,
  ];
  return { file: came.file, sha256: came.sha256, edits };
}

async function fetchNew(source: Fetched, raise: RaiseFile): Promise<FreshSource> {
  const wanted = raise.respell(source.file);
  const tried: string[] = [];
  for (const place of source.from) {
    const origin = originAt(place, wanted, raise);
    try {
      const came = await fetchFresh(origin, raise.cacheFolder);
      if (!isDebian(place) || stem(came.file) === stem(wanted)) return came;
      tried.push(`${nameOf(origin)}: has ${came.file}`);
    } catch (error) {
      if (!(error instanceof IcepkgError) || error.code === 'cancelled') throw error;
      tried.push(`${nameOf(origin)}: ${error.message}`);
    }
  }
  throw new IcepkgError('source-failed', `cannot get ${wanted}; tried ${tried.join('; ')}`, {
    hint: 'Look whether that version exists, and where',
    data: { file: wanted, tried },
  });
}

const isDebian = (place: SourceLocation): place is DebianLocation => !('url' in place || 'git' in place);

function originAt(place: SourceLocation, file: string, { respell, commits }: RaiseFile): FreshOrigin {
  if ('url' in place) return { url: respell(place.url), file };
  if ('git' in place) return { git: place.git, commit: commits.get(place) ?? place.commit, file };
  return 'debian' in place ? { debian: place.debian } : { 'debian-binary': place['debian-binary'] };
}

function nameOf(origin: FreshOrigin): string {
  if ('url' in origin) return origin.url;
  if ('git' in origin) return origin.git;
  return Object.entries(origin)
    .map(([kind, name]) =>
      kind === 'debian' ? `Debian's source package ${name}` : `Debian's package ${name}`,
    )
    .join();
}

/**
 * A file name without Debian's revision, what was left out of it and how it is compressed, which may change from version
 * to version.
 */
const stem = (file: string): string =>
  file
    .replace(/-[^-_]+(?=_[^_]+\.deb$)/, '')
    .replace(/[+~]deb\d+u\d+(?=\.)/, '')
    .replace(/\.(?:tar\.[a-z0-9]+|t[gx]z|tbz2?)$/, '')
    .replace(/[+.~](?:dfsg|ds|repack)[\d.]*(?=\.orig$|$)/, '');

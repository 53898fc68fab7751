/** Raises a recipe to another version: fetches its sources and writes what changes, and nothing else. */
import * as fs from 'node:fs';
import { IcepkgError } from '#schema/error';
import type { LoadedRecipe } from '../recipe.ts';
import { parseRecipe } from '../recipe.ts';
import type { Recipe } from '../recipe-schema.ts';
import { mapDebianVersion } from '../sources/debian-version.ts';
import type { DebianLocation, Source } from '../sources/schema.ts';
import { fetchFresh, type FreshSource } from './fresh-source.ts';
import { editYaml, type YamlEdit } from './yaml-edit.ts';

export interface BumpRequest {
  readonly loaded: LoadedRecipe;
  /** As upstream calls it: `9.3p1`, `1.2.13`. */
  readonly version: string;
  readonly cacheFolder: string;
}

export interface Bumped {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly sources: readonly { readonly file: string; readonly sha256: string }[];
  /** Lines that still mention the old version. */
  readonly mentions: readonly number[];
}

type Fetched = Extract<Source, { readonly file: string }>;

/**
 * Rewrites `recipe.yaml` in place: version, release, file names, addresses and sha256. Nothing is written unless every
 * source came.
 * @throws IcepkgError `usage` for no version, `source-failed` naming every place that was tried
 */
export async function bumpRecipe({ loaded, version, cacheFolder }: BumpRequest): Promise<Bumped> {
  const { recipe, file } = loaded;
  const to = mapDebianVersion(version)?.version;
  if (to === undefined)
    throw new IcepkgError('usage', `${version} is no version`, {
      hint: 'Give it as upstream calls it: 1.2.3',
    });
  const respell = speller(recipe, version);
  const edits: YamlEdit[] = [];
  const sources: { file: string; sha256: string }[] = [];
  for (const [index, source] of recipe.sources.entries()) {
    if (!('file' in source) || !followsVersion(source, respell)) continue;
    const came = await fetchNew(source, respell, cacheFolder);
    sources.push({ file: came.file, sha256: came.sha256 });
    edits.push(...sourceEdits(source, came, { index, respell }));
  }
  if (sources.length === 0)
    throw new IcepkgError('usage', `${file}: no source names version ${recipe.version}`, {
      hint: 'Change version, file, address and sha256 by hand',
    });
  const upstream = to === version ? undefined : version;
  edits.push(
    { keys: ['version'], value: to },
    { keys: ['release'], value: undefined },
    { keys: ['upstreamVersion'], value: upstream },
  );
  const before = fs.readFileSync(file, 'utf8');
  const edited = editYaml(before, edits);
  const text =
    upstream === undefined || recipe.upstreamVersion !== undefined
      ? edited
      : edited.replace(/^version:.*\n/m, (line) => `${line}upstreamVersion: '${upstream}'\n`);
  parseRecipe(text, file);
  fs.writeFileSync(file, text);
  return { file, from: recipe.version, to, sources, mentions: linesWith(text, spellings(recipe)) };
}

type Respell = (text: string) => string;

/** How a version may be spelled in names: longest first, so that no spelling cuts another. */
function spellings(recipe: Recipe): string[] {
  const upstream = recipe.upstreamVersion?.replace(/^\d+:/, '').replace(/-[^-]+$/, '');
  const names = [upstream, recipe.version, recipe.version.replace(/(?:\.0)+$/, '')];
  return [...new Set(names.filter((name) => name !== undefined))].toSorted((a, b) => b.length - a.length);
}

/** Puts the new version where the old one stands, with dots, underscores or hyphens between the numbers. */
function speller(recipe: Recipe, version: string): Respell {
  const pairs = spellings(recipe).flatMap((old) =>
    ['.', '_', '-'].map((mark): [string, string] => [
      old.replaceAll('.', mark),
      version.replaceAll('.', mark),
    ]),
  );
  const series = (text: string): string => text.split('.').slice(0, 2).join('.');
  return (text) => {
    const pair = pairs.find(([old]) => text.includes(old));
    if (pair === undefined) return text;
    // A folder of the series: /1.2/demo-1.2.3.tar.gz
    const [old, now] = pair;
    return text.replaceAll(old, now).replaceAll(`/${series(recipe.version)}/`, `/${series(version)}/`);
  };
}

const followsVersion = (source: Fetched, respell: Respell): boolean =>
  respell(source.file) !== source.file ||
  source.from.some((place) => 'url' in place && respell(place.url) !== place.url);

async function fetchNew(source: Fetched, respell: Respell, cacheFolder: string): Promise<FreshSource> {
  const wanted = respell(source.file);
  const tried: string[] = [];
  for (const place of source.from) {
    try {
      if ('git' in place) {
        tried.push(`${place.git}: cannot be raised by itself`);
        continue;
      }
      const came = await fetchFresh(
        'url' in place ? { url: respell(place.url), file: wanted } : withoutVersion(place),
        cacheFolder,
      );
      if ('url' in place || stem(came.file) === stem(wanted)) return came;
      tried.push(`${JSON.stringify(withoutVersion(place))}: has ${came.file}`);
    } catch (error) {
      if (!(error instanceof IcepkgError) || error.code === 'cancelled') throw error;
      tried.push(`${'url' in place ? respell(place.url) : JSON.stringify(place)}: ${error.message}`);
    }
  }
  throw new IcepkgError('source-failed', `cannot get ${wanted}; tried ${tried.join('; ')}`, {
    hint: 'Look whether that version exists, and where',
    data: { file: wanted, tried },
  });
}

const withoutVersion = (
  place: DebianLocation,
): { readonly debian: string } | { readonly 'debian-binary': string } =>
  'debian' in place ? { debian: place.debian } : { 'debian-binary': place['debian-binary'] };

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

function sourceEdits(
  source: Fetched,
  came: FreshSource,
  { index, respell }: { readonly index: number; readonly respell: Respell },
): YamlEdit[] {
  const at = ['sources', index];
  return [
    { keys: [...at, 'file'], value: came.file },
    { keys: [...at, 'sha256'], value: came.sha256 },
    ...source.from.flatMap((place, position): YamlEdit[] => {
      const keys = [...at, 'from', position];
      if ('url' in place) return [{ keys: [...keys, 'url'], value: respell(place.url) }];
      if ('git' in place || place.version === undefined) return [];
      return [{ keys: [...keys, 'version'], value: came.debianVersion ?? respell(place.version) }];
    }),
  ];
}

const linesWith = (text: string, names: readonly string[]): number[] =>
  text.split('\n').flatMap((line, index) => (names.some((name) => mentions(line, name)) ? [index + 1] : []));

/** A version is no part of a longer one, and a single number is no version. */
function mentions(line: string, version: string): boolean {
  const pattern = version.replaceAll(/[.+]/g, '\\$&');
  return version.includes('.') && new RegExp(`(?<![\\w.])${pattern}(?![\\w]|\\.\\d)`).test(line);
}

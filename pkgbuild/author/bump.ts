/** Raises a recipe to another version: fetches its sources and writes what changes, and nothing else. */
import * as fs from 'node:fs';
import { IcepkgError } from '#schema/error';
import type { LoadedRecipe } from '../recipe.ts';
import { parseRecipe } from '../recipe.ts';
import { mapDebianVersion } from '../sources/debian-version.ts';
import { raiseSource, type RaisedSource } from './raise-source.ts';
import { speller, spellings } from './spelling.ts';
import { editYaml } from './yaml-edit.ts';

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

/**
 * Rewrites `recipe.yaml` in place: version, release, file names, addresses, commits and sha256. Nothing is written unless
 * every source came.
 * @throws IcepkgError `usage` for no version, `source-failed` naming every place that was tried
 */
export async function bumpRecipe({ loaded, version, cacheFolder }: BumpRequest): Promise<Bumped> {
  const { recipe, file } = loaded;
  const to = mapDebianVersion(version)?.version;
  if (to === undefined)
    throw new IcepkgError('usage', `${version} is no version`, {
      hint: 'Give it as upstream calls it: 1.2.3',
    });
  if (spellings(recipe).includes(version))
    throw new IcepkgError('usage', `${file}: is at version ${version} already`, {
      hint: `icepkg recipe outdated ${recipe.name} asks for newer ones; a changed recipe of the same version raises release`,
    });
  const raise = { recipe, version, respell: speller(recipe, version), cacheFolder };
  const sources: RaisedSource[] = [];
  for (const [index, source] of recipe.sources.entries()) {
    const raised = await raiseSource(source, ['sources', index], raise);
    if (raised !== undefined) sources.push(raised);
  }
  if (sources.length === 0) throw nothingToRaise(loaded);
  const text = withVersion(loaded, { to, version }, sources);
  parseRecipe(text, file);
  fs.writeFileSync(file, text);
  return {
    file,
    from: recipe.version,
    to,
    sources: sources.map(({ file: name, sha256 }) => ({ file: name, sha256 })),
    mentions: linesWith(text, spellings(recipe)),
  };
}

function withVersion(
  { recipe, file }: LoadedRecipe,
  { to, version }: { readonly to: string; readonly version: string },
  sources: readonly RaisedSource[],
): string {
  const upstream = to === version ? undefined : version;
  const edited = editYaml(fs.readFileSync(file, 'utf8'), [
    ...sources.flatMap(({ edits }) => edits),
    { keys: ['version'], value: to },
    { keys: ['release'], value: undefined },
    { keys: ['upstreamVersion'], value: upstream },
  ]);
  if (upstream === undefined || recipe.upstreamVersion !== undefined) return edited;
  return edited.replace(/^version:.*\n/m, (line) => `${line}upstreamVersion: '${upstream}'\n`);
}

/** Says what an author can do, by what the sources are. */
function nothingToRaise({ recipe: { sources, version }, file }: LoadedRecipe): IcepkgError {
  const paths = sources.flatMap((source) => ('path' in source ? [source.path] : []));
  if (paths.length > 0 && paths.length === sources.length)
    return new IcepkgError('usage', `${file}: its sources lie beside it (${paths.join(', ')})`, {
      hint: 'There is nothing to fetch: change them, then write the new version and leave release out',
    });
  if (sources.some((source) => 'deb' in source))
    return new IcepkgError('usage', `${file}: what it repackages is pinned by Debian's version`, {
      hint: 'Change version and sha256 by hand: apt-cache policy shows the version, and the build the sum',
    });
  return new IcepkgError('usage', `${file}: no source names version ${version}`, {
    hint: 'Change version, file, address and sha256 by hand',
  });
}

const linesWith = (text: string, names: readonly string[]): number[] =>
  text.split('\n').flatMap((line, index) => (names.some((name) => mentions(line, name)) ? [index + 1] : []));

/** A version is no part of a longer one, and a single number is no version. */
function mentions(line: string, version: string): boolean {
  const pattern = version.replaceAll(/[.+]/g, '\\$&');
  return version.includes('.') && new RegExp(`(?<![\\w.])${pattern}(?![\\w]|\\.\\d)`).test(line);
}

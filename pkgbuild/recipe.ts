/** Finds and reads recipes. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { IcepkgError, isErrno } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { nearest } from '#schema/nearest';
import { checkRecipe } from './check-recipe.ts';
import { RecipeSchema, type Recipe } from './recipe-schema.ts';
import { decodeYaml, placeText, readYamlFile, type Keys, type Place, type YamlDocument } from './yaml.ts';

/** A recipe and the folder that its patches and local sources are in. */
export interface LoadedRecipe {
  readonly recipe: Recipe;
  readonly folder: string;
  readonly file: string;
  /** Where a field stands in the file. */
  readonly place: (keys: Keys) => Place;
}

const RECIPE_FILE = 'recipe.yaml';

/**
 * Finds a recipe by its file, its folder, or its name below one of the `roots`.
 * @throws IcepkgError `not-found` naming every place that was looked at, `format-invalid` for a recipe that is wrong or
 *   was found by a name that it does not have
 */
export function findRecipe(nameOrPath: string, roots: readonly string[]): LoadedRecipe {
  const paths = [nameOrPath, path.join(nameOrPath, RECIPE_FILE)];
  const given = paths.find(isFile);
  if (given !== undefined) return loadRecipe(path.resolve(given));
  const named = nameOrPath.includes('/') ? [] : roots.map((root) => path.join(root, nameOrPath, RECIPE_FILE));
  const found = named.find(isFile);
  if (found !== undefined) return loadNamed(path.resolve(found));
  const tried = [...new Set([...paths, ...named])];
  const known = roots.flatMap(recipeNames);
  const guess = nearest(path.basename(nameOrPath), known);
  throw new IcepkgError('not-found', `no recipe named ${nameOrPath}: looked for ${tried.join(', ')}`, {
    hint:
      guess === undefined
        ? 'Give the name of a folder below recipes/, or the path of a recipe.yaml'
        : `Did you mean ${guess}?`,
  });
}

/** Names of the recipes below a folder; empty where there is none. */
export function recipeNames(root: string): string[] {
  try {
    return fs
      .readdirSync(root)
      .filter((name) => fs.existsSync(path.join(root, name, RECIPE_FILE)))
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

export interface ReadRecipes<T> {
  readonly read: readonly T[];
  /** What is wrong with all that could not be read, a line each. */
  readonly problem: IcepkgError | undefined;
  /** How many could not be read. */
  readonly unreadable: number;
}

/** Goes on where a recipe cannot be read, so that all that are wrong are told at once. */
export function readEach<T>(names: readonly string[], read: (name: string) => T): ReadRecipes<T> {
  const [done, errors]: [T[], IcepkgError[]] = [[], []];
  for (const name of names) {
    try {
      done.push(read(name));
    } catch (error) {
      if (!(error instanceof IcepkgError)) throw error;
      errors.push(error);
    }
  }
  const [first, ...more] = errors;
  if (first === undefined || more.length === 0)
    return { read: done, problem: first, unreadable: errors.length };
  const { code, hint } = first;
  const lines = errors.map(({ message }) => message).join('\n');
  const problem = new IcepkgError(code, lines, hint === undefined ? {} : { hint });
  return { read: done, problem, unreadable: errors.length };
}

/**
 * Files of the recipes below the folders that are built for an architecture; of two with a name the first.
 * @throws IcepkgError that names every recipe that cannot be read
 */
export function allRecipes(roots: readonly string[], arch: MachineArch): string[] {
  const files = new Map<string, string>();
  for (const root of roots)
    for (const name of recipeNames(root))
      if (!files.has(name)) files.set(name, path.join(root, name, RECIPE_FILE));
  const { read, problem } = readEach([...files.values()], loadNamed);
  if (problem !== undefined) throw problem;
  return read.filter(({ recipe }) => packageArch(recipe, arch) !== undefined).map(({ file }) => file);
}

/** `recipes/` of the working folder, then the one that comes with icepkg. */
export function defaultRecipeRoots(): string[] {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const top = path.basename(path.dirname(here)) === 'dist' ? path.join(here, '../..') : path.join(here, '..');
  return [...new Set([path.resolve('recipes'), path.resolve(top, 'recipes')])];
}

function loadRecipe(file: string): LoadedRecipe {
  const { value, place } = decodeRecipe(readYamlFile(file, 'recipe'), file);
  return { recipe: value, folder: path.dirname(file), file, place };
}

/** A recipe of a collection, where folders are what recipes are found and depended on by. */
function loadNamed(file: string): LoadedRecipe {
  const loaded = loadRecipe(file);
  const [{ name }, folder] = [loaded.recipe, path.basename(loaded.folder)];
  if (name === folder) return loaded;
  throw new IcepkgError(
    'format-invalid',
    `${placeText(loaded.place(['name']))}: name: the recipe ${name} is in a folder called ${folder}, and recipes are found by their folder`,
    { hint: `Rename the folder to ${name}, or write name: ${folder}` },
  );
}

const isFile = (file: string): boolean => fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true;

/**
 * Checks the text of a recipe.
 * @param file names the recipe in errors
 * @throws IcepkgError `format-invalid` with `file:line:column`
 */
export const parseRecipe = (text: string, file: string): Recipe => decodeRecipe(text, file).value;

function decodeRecipe(text: string, file: string): YamlDocument<Recipe> {
  const manual = 'docs/recipes.md lists the fields of a recipe';
  const document = decodeYaml(RecipeSchema, { text, file, manual });
  checkRecipe(document.value, path.dirname(file), (...why) => document.refuse(...why));
  return document;
}

/** Architecture that the packages of a recipe carry when built for `arch`, or `undefined` where it does not build for it. */
export function packageArch(recipe: Recipe, arch: MachineArch): MachineArch | 'noarch' | undefined {
  if (recipe.arch === 'noarch') return 'noarch';
  return recipe.arch.includes(arch) ? arch : undefined;
}

/** Finds what a linter was asked to look at: recipes by name or path, packages, folders of packages. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { readHeader } from '#schema/container/read';
import { IcepkgError, isErrno } from '#schema/error';
import type { Manifest } from '#schema/manifest';
import { findRecipe, readEach, recipeNames, type LoadedRecipe } from '../recipe.ts';
import type { Recipe } from '../recipe-schema.ts';
import { lintPackages, lintRecipe, type Finding } from './lint.ts';
import { recipesIn, readRecipeView } from './recipe-view.ts';

const PACKAGE = /\.icepkg$/;

export interface Linted {
  readonly findings: readonly Finding[];
  /** What is wrong with the recipes that could not be read. */
  readonly problem: IcepkgError | undefined;
  /** How many those are. */
  readonly unreadable: number;
}

/**
 * Looks at everything that is named; at all recipes of the first of `roots` where nothing is.
 * @param roots folders of recipes
 * @throws IcepkgError `not-found`, or what is wrong with a package
 */
export function lintSubjects(names: readonly string[], roots: readonly string[]): Linted {
  const wanted = names.length > 0 ? names : allRecipes(roots[0] ?? 'recipes');
  const packages = wanted.flatMap(packagesAt);
  const recipes = wanted.filter((name) => packagesAt(name).length === 0);
  const { read, problem, unreadable } = readEach(recipes, (name) => findRecipe(name, roots));
  const around = recipesIn([...read.map(({ folder }) => path.dirname(folder)), ...roots]);
  const ofRecipes = read.flatMap((loaded) => lintRecipe(readRecipeView(loaded, around)));
  const ofPackages = lintPackages({
    files: packages,
    around: packagesAround(packages),
    recipeOf: (origin) => recipeNamed(origin, roots),
  });
  return { findings: [...ofRecipes, ...ofPackages], problem, unreadable };
}

function allRecipes(root: string): string[] {
  const names = recipeNames(root);
  if (names.length > 0) return names.map((name) => path.join(root, name));
  throw new IcepkgError('not-found', `${root}: no recipes here`, {
    hint: 'Name recipes or packages: icepkg recipe lint ./my-recipe',
  });
}

function packagesAt(name: string): string[] {
  if (PACKAGE.test(name)) return [name];
  return listFolder(name).filter((file) => PACKAGE.test(file));
}

function listFolder(folder: string): string[] {
  try {
    return fs
      .readdirSync(folder)
      .sort()
      .map((name) => path.join(folder, name));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** What lies beside the packages: it may provide what they need. */
function packagesAround(files: readonly string[]): Manifest[] {
  const named = new Set(files.map((file) => path.resolve(file)));
  const folders = new Set(files.map((file) => path.dirname(path.resolve(file))));
  return [...folders]
    .flatMap(listFolder)
    .filter((file) => PACKAGE.test(file) && !named.has(file))
    .map((file) => readHeader(file, file).manifest);
}

function recipeNamed(origin: string, roots: readonly string[]): Recipe | undefined {
  const found = roots
    .map((root) => path.join(root, origin, 'recipe.yaml'))
    .find((file) => fs.existsSync(file));
  const loaded: LoadedRecipe | undefined = found === undefined ? undefined : findRecipe(found, []);
  return loaded?.recipe;
}

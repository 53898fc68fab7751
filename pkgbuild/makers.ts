/** Which recipes make which packages, by what they say. */
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { findRecipe, recipeNames } from './recipe.ts';
import type { Recipe } from './recipe-schema.ts';

/** The main package and those that the builder splits off. */
export const splitNames = (name: string): string[] =>
  ['', '-dev', '-doc'].map((suffix) => `${name}${suffix}`);

/** Names of the packages of a recipe, whatever the architecture and the options, and of what they provide. */
export function namesMade(recipe: Recipe): string[] {
  const { perArch } = recipe;
  const subpackages = [recipe, perArch?.x86_64 ?? {}, perArch?.aarch64 ?? {}].flatMap(
    (part) => part.subpackages ?? [],
  );
  const names = subpackages.flatMap(({ name, forEach = [''] }) =>
    forEach.map((each) => name.replaceAll('${each}', each)),
  );
  const provided = [recipe, ...subpackages].flatMap(({ provides = [] }) =>
    provides.map((capability) => capability.replace(/@.*/, '')),
  );
  return [...splitNames(recipe.name), ...names, ...provided];
}

/** Names of the recipes below folders that make or provide something. */
export const makersOf = (name: string, roots: readonly string[]): string[] =>
  roots.flatMap((root) =>
    recipeNames(root).filter((folder) => {
      const recipe = readableRecipe(path.join(root, folder));
      return recipe !== undefined && namesMade(recipe).includes(name);
    }),
  );

/** `undefined` for one that is wrong. */
export function readableRecipe(folder: string): Recipe | undefined {
  try {
    return findRecipe(folder, []).recipe;
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

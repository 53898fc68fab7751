/** Reads what rules look at in a recipe. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { findRecipe, recipeNames, type LoadedRecipe } from '../recipe.ts';
import type { Recipe } from '../recipe-schema.ts';
import { shellOf, type Steps } from '../step-schema.ts';
import { walkTree } from '../tree.ts';
import { bareName, type Neighbours, type RecipeView, type Script } from './rule.ts';

const RECIPE_FILE = 'recipe.yaml';
const MAX_TEXT = 1024 * 1024;

/** Everything of a recipe that rules look at, but the names of the rules. */
export function readRecipeView(
  loaded: LoadedRecipe,
  neighbours: Neighbours | undefined,
): Omit<RecipeView, 'ruleNames'> {
  return {
    ...loaded,
    text: fs.readFileSync(loaded.file, 'utf8'),
    scripts: scriptsOf(loaded.recipe),
    files: filesBeside(loaded),
    makes: namesMade(loaded.recipe),
    neighbours,
  };
}

const STEPS = ['prepare', 'build', 'check', 'install'] as const;

function scriptsOf(recipe: Recipe): Script[] {
  const own = (steps: Partial<Record<(typeof STEPS)[number], Steps | undefined>>, prefix: string): Script[] =>
    STEPS.flatMap((name) => {
      const text = steps[name];
      return text === undefined ? [] : [{ where: `${prefix}${name}`, text: withoutComments(shellOf(text)) }];
    });
  return [
    ...own(recipe, ''),
    ...(['x86_64', 'aarch64'] as const).flatMap((arch) =>
      own(recipe.perArch?.[arch] ?? {}, `perArch.${arch}.`),
    ),
  ];
}

const withoutComments = (text: string): string => text.replaceAll(/(^|\s)#.*$/gm, '$1');

/** Texts of the files beside the recipe; large ones and those that are no text come out empty. */
function filesBeside({ folder, file }: LoadedRecipe): Map<string, string> {
  const options = { holder: `${folder} holds`, code: 'format-invalid', nodes: false } as const;
  const files = walkTree(folder, options).filter(
    (entry) => entry.type === 'file' && path.join(folder, entry.path) !== file,
  );
  return new Map(
    files.map((entry) => [
      entry.path,
      entry.size > MAX_TEXT ? '' : fs.readFileSync(path.join(folder, entry.path), 'utf8'),
    ]),
  );
}

/** Names that the recipes below folders make and say that they provide. A recipe that is wrong counts by its name. */
export function neighboursIn(roots: readonly string[]): Neighbours {
  const recipes = new Set<string>();
  const provided = new Set<string>();
  for (const root of roots)
    for (const name of recipeNames(root)) {
      recipes.add(name);
      const recipe = recipeAt(path.join(root, name, RECIPE_FILE));
      for (const made of recipe === undefined ? splitNames(name) : namesMade(recipe)) provided.add(made);
    }
  return { recipes, provided };
}

/** The main package and those that the builder splits off. */
const splitNames = (name: string): string[] => ['', '-dev', '-doc'].map((suffix) => `${name}${suffix}`);

/** Names of the packages of a recipe, whatever the architecture and the options, and of what they provide. */
function namesMade(recipe: Recipe): string[] {
  const { perArch } = recipe;
  const subpackages = [recipe, perArch?.x86_64 ?? {}, perArch?.aarch64 ?? {}].flatMap(
    (part) => part.subpackages ?? [],
  );
  const names = subpackages.flatMap(({ name, forEach = [''] }) =>
    forEach.map((each) => name.replaceAll('${each}', each)),
  );
  const provided = [recipe, ...subpackages].flatMap(({ provides = [] }) => provides.map(bareName));
  return [...splitNames(recipe.name), ...names, ...provided];
}

function recipeAt(file: string): Recipe | undefined {
  try {
    return findRecipe(file, []).recipe;
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

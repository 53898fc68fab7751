/** Reads what rules look at in a recipe. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { namesMade, readableRecipe, splitNames } from '../makers.ts';
import { recipeNames, type LoadedRecipe } from '../recipe.ts';
import type { Recipe } from '../recipe-schema.ts';
import { shellOf, type Steps } from '../step-schema.ts';
import { walkTree } from '../tree.ts';
import type { Around, RecipeView, Script } from './rule.ts';

const MAX_TEXT = 1024 * 1024;

/** Everything of a recipe that rules look at, but the names of the rules. */
export function readRecipeView(loaded: LoadedRecipe, around: () => Around): Omit<RecipeView, 'ruleNames'> {
  return {
    ...loaded,
    hasSchema: fs.existsSync(path.join(loaded.folder, '../../index-schema/recipe.schema.json')),
    text: fs.readFileSync(loaded.file, 'utf8'),
    scripts: scriptsOf(loaded.recipe),
    isThere: (name) => fs.existsSync(path.join(loaded.folder, name)),
    files: filesBeside(loaded),
    makes: namesMade(loaded.recipe),
    around,
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

/** What the recipes below folders are and make. Of one that is wrong the name is known. */
export function recipesIn(folders: readonly string[]): () => Around {
  let around: Around | undefined;
  const read = (): Around => {
    const makers = new Map<string, string>();
    const recipes = new Set<string>();
    for (const folder of new Set(folders))
      for (const name of recipeNames(folder)) {
        const recipe = readableRecipe(path.join(folder, name));
        recipes.add(name);
        for (const made of recipe === undefined ? splitNames(name) : namesMade(recipe))
          if (!makers.has(made)) makers.set(made, name);
      }
    return { recipes, makers };
  };
  return () => (around ??= read());
}

/** Reads what rules look at in a recipe. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { namesMade, readableRecipe, splitNames } from '../makers.ts';
import { recipeNames, type LoadedRecipe } from '../recipe.ts';
import type { Recipe } from '../recipe-schema.ts';
import { shellOf, type Steps } from '../step-schema.ts';
import { walkTree } from '../tree.ts';
import type { RecipeView, Script } from './rule.ts';

const MAX_TEXT = 1024 * 1024;

/** Everything of a recipe that rules look at, but the names of the rules. */
export function readRecipeView(
  loaded: LoadedRecipe,
  provided: () => ReadonlySet<string>,
): Omit<RecipeView, 'ruleNames'> {
  return {
    ...loaded,
    hasSchema: fs.existsSync(path.join(loaded.folder, '../../index-schema/recipe.schema.json')),
    text: fs.readFileSync(loaded.file, 'utf8'),
    scripts: scriptsOf(loaded.recipe),
    files: filesBeside(loaded),
    makes: namesMade(loaded.recipe),
    provided,
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
export function providedIn(folders: readonly string[]): () => ReadonlySet<string> {
  let provided: ReadonlySet<string> | undefined;
  const read = (): ReadonlySet<string> =>
    new Set(
      [...new Set(folders)].flatMap((root) =>
        recipeNames(root).flatMap((name) => {
          const recipe = readableRecipe(path.join(root, name));
          return recipe === undefined ? splitNames(name) : namesMade(recipe);
        }),
      ),
    );
  return () => (provided ??= read());
}

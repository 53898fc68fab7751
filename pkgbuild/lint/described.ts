/** The packages that a recipe describes, and where it does. */
import type { Subpackage } from '../recipe-schema.ts';
import type { Keys } from '../yaml.ts';
import type { RecipeView } from './rule.ts';

export interface Described {
  readonly about: RecipeView['recipe'] | Subpackage;
  /** Where in the recipe its fields are. */
  readonly at: Keys;
}

/** The main package, then the subpackages. */
export const describedBy = ({ recipe }: Pick<RecipeView, 'recipe'>): Described[] => [
  { about: recipe, at: [] },
  ...(recipe.subpackages ?? []).map((about, index) => ({ about, at: ['subpackages', index] })),
];

/** Flags that several commands of recipes have. */
import { Flags } from '#cli/oclif';

/** A name after the folder is a recipe, and no second folder. */
export const recipesFlag = Flags.string({
  multiple: true,
  multipleNonGreedy: true,
  helpValue: 'DIR',
  summary: 'folder to look for recipes in',
});

import { resolve } from 'node:path';
import { BaseCommand } from '#cli/base-command';
import { Args, Flags } from '#cli/oclif';
import { recipesFlag } from '#cli/recipe-flags';
import { tableText } from '#cli/table';

/** `icepkg recipe outdated`: recipes with newer versions. */
export default class RecipeOutdated extends BaseCommand {
  static override summary = 'Show recipes that newer versions exist of';
  static override description = `Asks for each recipe what its update names or, without, where its first source comes from: Debian's index of sources
through apt, which is refreshed once a day and answers without a connection otherwise, the tags of a git repository, the registry that npm is set up
for, and the folder that an address names, where the server lists it. Of all recipes only those that are outdated are shown, of those that are named each.`;
  static override examples = [
    'icepkg recipe outdated',
    'icepkg recipe outdated zlib xz',
    'icepkg recipe outdated --all',
  ];
  static override strict = false;
  static override args = { recipe: Args.string({ description: 'recipe to ask for; all without' }) };
  static override flags = {
    all: Flags.boolean({ summary: 'show those that are current or unknown, too' }),
    cache: Flags.string({ helpValue: 'DIR', summary: 'folder for sources' }),
    recipes: recipesFlag,
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(RecipeOutdated);
    const { findOutdated } = await import('#pkgbuild/author/outdated');
    const { defaultRecipeRoots, findRecipe, recipeNames } = await import('#pkgbuild/recipe');
    const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
    const roots = flags.recipes?.map((folder) => resolve(folder)) ?? defaultRecipeRoots();
    const names = argv.length > 0 ? argv.map(String) : [...new Set(roots.flatMap(recipeNames))].toSorted();
    const cacheFolder = resolve(flags.cache ?? defaultCacheFolder());
    const recipes = await findOutdated(
      names.map((name) => findRecipe(name, roots)),
      cacheFolder,
    );
    const whole = flags.all || argv.length > 0;
    const shown = whole ? recipes : recipes.filter(({ state }) => state === 'outdated');
    if (shown.length > 0)
      this.print(
        tableText(
          shown.map(({ name, version, state, newest, asked, reason }) => [
            name,
            version,
            state === 'outdated' ? `-> ${newest ?? ''}` : state,
            reason ?? asked ?? '',
          ]),
        ),
      );
    const count = (state: string): number => recipes.filter((one) => one.state === state).length;
    if (!flags.quiet)
      this.print(`${count('outdated')} outdated, ${count('current')} current, ${count('unknown')} unknown`);
    return { recipes };
  }
}

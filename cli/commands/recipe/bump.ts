import { resolve } from 'node:path';
import { BaseCommand } from '#cli/base-command';
import { Args, Flags } from '#cli/oclif';
import { recipesFlag } from '#cli/recipe-flags';

/** `icepkg recipe bump`: another version of what a recipe builds. */
export default class RecipeBump extends BaseCommand {
  static override summary = 'Raise a recipe to another version';
  static override description = `Fetches the sources of that version and changes version, file names, addresses and sha256 in recipe.yaml: from addresses,
Debian's source packages, the tags of git repositories, and the registry that npm is set up for. The release begins at 0 again; comments and
everything else stay as they are. Nothing is written where a source does not come.`;
  static override examples = ['icepkg recipe bump zlib 1.3.1', 'icepkg recipe bump ./openssh 9.3p1'];
  static override args = {
    recipe: Args.string({ required: true, description: 'name, folder or file of the recipe' }),
    version: Args.string({ required: true, description: 'the version as upstream calls it' }),
  };
  static override flags = {
    cache: Flags.string({ helpValue: 'DIR', summary: 'folder for sources' }),
    recipes: recipesFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RecipeBump);
    const { bumpRecipe } = await import('#pkgbuild/author/bump');
    const { defaultRecipeRoots, findRecipe } = await import('#pkgbuild/recipe');
    const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
    const roots = flags.recipes?.map((folder) => resolve(folder)) ?? defaultRecipeRoots();
    const bumped = await bumpRecipe({
      loaded: findRecipe(args.recipe, roots),
      version: args.version,
      cacheFolder: resolve(flags.cache ?? defaultCacheFolder()),
    });
    this.print(`${bumped.file}: ${bumped.from} -> ${bumped.to}`);
    for (const { file, sha256 } of bumped.sources) this.print(`${file} ${sha256}`);
    for (const line of bumped.mentions) this.print(`- line ${line} still mentions the old version`);
    return bumped;
  }
}

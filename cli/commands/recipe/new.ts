import { resolve } from 'node:path';
import { BaseCommand } from '#cli/base-command';
import { Args, Flags } from '#cli/oclif';
import { recipesFlag } from '#cli/recipe-flags';
import { IcepkgError } from '#schema/error';

/** `icepkg recipe new`: a first recipe from a source. */
export default class RecipeNew extends BaseCommand {
  static override summary = 'Write a first recipe for a source';
  static override description = `Fetches the source, finds out how it is built, and writes version, licence, description, sha256, build dependencies
and steps into a recipe. What it could not find out it says.`;
  static override examples = [
    'icepkg recipe new libyaml --debian libyaml',
    'icepkg recipe new jansson --from https://example.org/jansson-2.14.tar.gz',
  ];
  static override args = { name: Args.string({ required: true, description: 'name of the recipe' }) };
  static override flags = {
    from: Flags.string({ helpValue: 'URL', exclusive: ['debian'], summary: 'address of the archive' }),
    debian: Flags.string({ helpValue: 'NAME', summary: 'Debian source package' }),
    into: Flags.string({ default: 'recipes', helpValue: 'DIR', summary: 'folder to make the recipe in' }),
    cache: Flags.string({ helpValue: 'DIR', summary: 'folder for sources' }),
    recipes: recipesFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RecipeNew);
    const origin = originOf(flags);
    const { newRecipe } = await import('#pkgbuild/author/new-recipe');
    const { defaultRecipeRoots } = await import('#pkgbuild/recipe');
    const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
    const made = await newRecipe({
      name: args.name,
      origin,
      into: resolve(flags.into),
      roots: flags.recipes?.map((folder) => resolve(folder)) ?? defaultRecipeRoots(),
      cacheFolder: resolve(flags.cache ?? defaultCacheFolder()),
    });
    this.print(`${made.file}: built by ${made.system}`);
    for (const remark of made.remarks) this.print(`- ${remark}`);
    if (!flags.quiet) this.remark(`next: icepkg build ${made.file}; icepkg recipe lint ${made.file}`);
    return made;
  }
}

function originOf(flags: {
  from?: string | undefined;
  debian?: string | undefined;
}): { url: string } | { debian: string } {
  if (flags.from !== undefined && /^(?:https?|file):\/\//.test(flags.from)) return { url: flags.from };
  if (flags.debian !== undefined) return { debian: flags.debian };
  throw new IcepkgError(
    'usage',
    flags.from === undefined ? 'no source is given' : `${flags.from} is no URL`,
    {
      hint: 'Say where it comes from: --from https://… or --debian NAME',
    },
  );
}

import { resolve } from 'node:path';
import { BaseCommand } from '#cli/base-command';
import { Args, Flags } from '#cli/oclif';
import { recipesFlag } from '#cli/recipe-flags';

/** `icepkg recipe import`: recipes of other package managers. */
export default class RecipeImport extends BaseCommand {
  static override summary = 'Turn an APKBUILD, a melange YAML file or a PKGBUILD into a recipe';
  static override description = `Reads the file without running anything in it, writes a recipe folder, and says line by line what could not be
carried over: "lost" is what the package would lack, "open" is what must be filled in, "left" has no place in a recipe.
Patches and files beside the file are copied.`;
  static override examples = [
    'icepkg recipe import ./aports/main/less/APKBUILD',
    'icepkg recipe import less.yaml --into my-recipes --fetch',
    'icepkg recipe import PKGBUILD --json',
  ];
  static override args = { file: Args.string({ required: true, description: 'the file to import' }) };
  static override flags = {
    format: Flags.option({
      options: ['apkbuild', 'melange', 'pkgbuild'] as const,
      helpValue: 'FORMAT',
      summary: 'what the file is; told by its name without',
    })(),
    into: Flags.string({ default: 'recipes', helpValue: 'DIR', summary: 'folder to make the recipe in' }),
    fetch: Flags.boolean({ summary: 'fetch sources whose sha256 is not known' }),
    cache: Flags.string({ helpValue: 'DIR', summary: 'folder for sources' }),
    recipes: recipesFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RecipeImport);
    const { importRecipe } = await import('#pkgbuild/import/import');
    const { noteText } = await import('#pkgbuild/import/render');
    const { defaultRecipeRoots } = await import('#pkgbuild/recipe');
    const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
    const imported = await importRecipe({
      file: args.file,
      into: resolve(flags.into),
      roots: flags.recipes?.map((folder) => resolve(folder)) ?? defaultRecipeRoots(),
      cacheFolder: resolve(flags.cache ?? defaultCacheFolder()),
      fetch: flags.fetch,
      ...(flags.format === undefined ? {} : { format: flags.format }),
    });
    this.print(`${imported.file}: ${imported.whole ? 'imported whole' : 'imported in part'}`);
    for (const note of imported.notes) this.print(`${note.kind.padEnd(4)}  ${noteText(note)}`);
    return imported;
  }
}

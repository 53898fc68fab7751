import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { BaseCommand } from '#cli/base-command';
import { Args, Flags } from '#cli/oclif';
import { recipesFlag } from '#cli/recipe-flags';

/** `icepkg recipe graph`: which recipes are built with which. */
export default class RecipeGraph extends BaseCommand {
  static override summary = 'Draw which recipes are built with which';
  static override description = `Writes the build dependencies of the recipes as a picture (SVG) or for Graphviz (dot), on the standard output or into
a file. Dependencies that follow from others are left out unless --all asks for them.`;
  static override examples = [
    'icepkg recipe graph --format svg --output recipes.svg',
    'icepkg recipe graph tmux htop',
    'icepkg recipe graph zlib --needed-by',
  ];
  static override strict = false;
  static override args = { recipe: Args.string({ description: 'recipe to begin with; all without' }) };
  static override flags = {
    format: Flags.option({
      options: ['dot', 'svg'] as const,
      default: 'dot' as const,
      helpValue: 'FORMAT',
      summary: 'form of the graph',
    })(),
    output: Flags.string({ char: 'o', helpValue: 'FILE', summary: 'file to write' }),
    all: Flags.boolean({ summary: 'show dependencies that follow from others, too' }),
    'needed-by': Flags.boolean({ summary: 'show what is built with the recipes instead' }),
    recipes: recipesFlag,
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(RecipeGraph);
    const { dotText, neededBy, recipeGraph, reduceGraph } = await import('#pkgbuild/author/graph');
    const { svgPicture } = await import('#pkgbuild/author/graph-picture');
    const { defaultRecipeRoots, findRecipe, readEach, recipeNames } = await import('#pkgbuild/recipe');
    const roots = flags.recipes?.map((folder) => resolve(folder)) ?? defaultRecipeRoots();
    const names = argv.map(String);
    const everything = [...new Set(roots.flatMap(recipeNames))];
    const start = names.length > 0 && !flags['needed-by'] ? names : everything;
    const { read, problem } = readEach(start, (name) => findRecipe(name, roots));
    if (problem !== undefined) throw problem;
    const found = recipeGraph(read, roots);
    const whole = flags['needed-by'] && names.length > 0 ? neededBy(found, names) : found;
    const graph = flags.all ? whole : reduceGraph(whole);
    const text = flags.format === 'svg' ? svgPicture(graph) : dotText(graph);
    if (flags.output === undefined) this.print(text.trimEnd());
    else writeFileSync(flags.output, text);
    return graph;
  }
}

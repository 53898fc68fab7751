import { resolve } from 'node:path';
import { archFlag, BaseCommand } from '#cli/base-command';
import { Args, Flags } from '#cli/oclif';
import { recipesFlag } from '#cli/recipe-flags';
import type { Change } from '#pkgbuild/author/why-rebuild';

/** Letters of a value that are shown. */
const SHOWN = 60;

/** `icepkg recipe why-rebuild`: what changed since the last build. */
export default class RecipeWhyRebuild extends BaseCommand {
  static override summary = 'Say what changed since a recipe was built last';
  static override description = `A build is kept under a digest of everything that went in. This compares what would go in now with what went into the
newest build of the recipe that the cache holds: fields of the recipe, files beside it, build dependencies and why they are
others, compiler, and options.`;
  static override examples = ['icepkg recipe why-rebuild curl --arch aarch64'];
  static override args = {
    recipe: Args.string({ required: true, description: 'name, folder or file of the recipe' }),
  };
  static override flags = {
    ...archFlag,
    codec: Flags.option({
      options: ['zstd', 'xz'] as const,
      default: 'zstd' as const,
      helpValue: 'CODEC',
      summary: 'compression of the packages',
    })(),
    cache: Flags.string({ helpValue: 'DIR', summary: 'folder for sources, logs and built packages' }),
    recipes: recipesFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RecipeWhyRebuild);
    const { whyRebuild } = await import('#pkgbuild/author/why-rebuild');
    const { defaultRecipeRoots } = await import('#pkgbuild/recipe');
    const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
    const answer = await whyRebuild({
      recipe: args.recipe,
      arch: flags.arch ?? (process.arch === 'arm64' ? 'aarch64' : 'x86_64'),
      roots: flags.recipes?.map((folder) => resolve(folder)) ?? defaultRecipeRoots(),
      cacheFolder: resolve(flags.cache ?? defaultCacheFolder()),
      codec: flags.codec,
    });
    const name = `${answer.recipe} for ${answer.arch}`;
    if (answer.state === 'built') this.print(`${name}: is built; nothing changed since`);
    if (answer.state === 'new') this.print(`${name}: no earlier build is in the cache`);
    if (answer.state === 'changed')
      this.print([`${name}: changed since it was built last`, ...changeLines(answer.changes)].join('\n'));
    return answer;
  }
}

function changeLines(changes: readonly Change[], indent = '  '): string[] {
  return changes.flatMap(({ kind, what, because, ...values }) => {
    const both = 'old' in values || 'new' in values ? `: ${shownBoth(values.old, values.new)}` : '';
    const name = kind === what ? kind : `${kind} ${what}`;
    return [`${indent}${name}${both}`, ...changeLines(because ?? [], `${indent}  `)];
  });
}

/** Long values by the part in which they differ. */
function shownBoth(before: unknown, after: unknown): string {
  const [old, now] = [shown(before), shown(after)];
  let same = 0;
  while (same < old.length && old[same] === now[same]) same++;
  const start = Math.max(old.length, now.length) > SHOWN ? Math.max(0, same - SHOWN / 4) : 0;
  return `${cut(old, start)} -> ${cut(now, start)}`;
}

function cut(line: string, start: number): string {
  const end = start + SHOWN;
  return `${start > 0 ? '…' : ''}${line.slice(start, end)}${line.length > end ? '…' : ''}`;
}

function shown(value: unknown): string {
  if (value === undefined) return 'none';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/\s+/g, ' ').trim();
}

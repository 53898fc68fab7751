import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { archFlag, BaseCommand } from '#cli/base-command';
import { Args, Flags } from '#cli/oclif';
import { IcepkgError } from '#schema/error';

/** `icepkg build`: recipes to packages. */
export default class Build extends BaseCommand {
  static override summary = 'Build packages from recipes';
  static override description = `Builds each recipe, and before it the build dependencies that were not built yet, in a sandbox without
network. A recipe is the name of a folder below recipes/, a folder, or the path of a recipe.yaml.

Results are kept in the cache under a digest of everything that went in, so building again without a change only
copies them. Fetched sources and build logs are in the cache too. The packages of the build dependencies are
delivered along with those of the recipes, because a repository needs both.`;
  static override examples = [
    'icepkg build zlib --arch aarch64',
    'icepkg build ./my-recipe --arch x86_64 --output packages --key packager.key',
    'icepkg build zlib --arch x86_64 --check-reproducible',
  ];
  static override strict = false;
  static override args = {
    recipe: Args.string({ required: true, description: 'recipe to build; several may follow' }),
  };
  static override flags = {
    ...archFlag,
    output: Flags.string({
      char: 'o',
      default: '.cache/packages',
      helpValue: 'DIR',
      summary: 'folder that receives the packages',
    }),
    key: Flags.string({
      multiple: true,
      helpValue: 'FILE',
      summary: 'private key to sign the packages with',
    }),
    codec: Flags.option({
      options: ['zstd', 'xz'] as const,
      default: 'zstd' as const,
      helpValue: 'CODEC',
      summary: 'compression of the packages',
    })(),
    cache: Flags.string({ helpValue: 'DIR', summary: 'folder for sources, logs and built packages' }),
    recipes: Flags.string({ multiple: true, helpValue: 'DIR', summary: 'folder to look for recipes in' }),
    jobs: Flags.integer({ char: 'j', min: 1, helpValue: 'N', summary: 'parallel jobs of make' }),
    option: Flags.string({
      multiple: true,
      helpValue: 'NAME=on|off',
      summary: 'decide an option of the recipes',
    }),
    'no-check': Flags.boolean({ summary: 'leave out the checks that recipes define' }),
    'check-reproducible': Flags.boolean({ summary: 'build the named recipes twice and compare the bytes' }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Build);
    const { buildRecipes } = await import('#pkgbuild/build');
    const { readKeyFile } = await import('#repo-server/key-files');
    const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
    const native = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
    const built = await buildRecipes({
      recipes: argv.map(String),
      arch: flags.arch ?? native,
      cacheFolder: resolve(flags.cache ?? defaultCacheFolder()),
      output: resolve(flags.output),
      keys: (flags.key ?? []).map(readKeyFile),
      codec: flags.codec,
      jobs: flags.jobs ?? availableParallelism(),
      options: Object.fromEntries((flags.option ?? []).map(readOption)),
      check: !flags['no-check'],
      checkReproducible: flags['check-reproducible'],
      onProgress: ({ recipe, arch, phase }) => {
        if (!flags.quiet) this.remark(`${recipe} for ${arch}: ${phase}`);
      },
      signal: this.interruptible(),
      ...(flags.recipes === undefined ? {} : { roots: flags.recipes.map((folder) => resolve(folder)) }),
    });
    for (const { packages, reproducible } of built) {
      const remark = reproducible ? ' (reproducible)' : '';
      for (const { file } of packages) this.print(`${join(flags.output, file)}${remark}`);
    }
    return { recipes: built };
  }
}

/** @throws IcepkgError `usage` for what is not `NAME=on` or `NAME=off` */
function readOption(text: string): [string, boolean] {
  const [, name, value] = /^([a-z][a-z0-9_-]*)=(on|off)$/.exec(text) ?? [];
  if (name !== undefined) return [name, value === 'on'];
  throw new IcepkgError('usage', `--option ${text} says neither on nor off`, {
    hint: 'Write --option NAME=on or --option NAME=off',
  });
}

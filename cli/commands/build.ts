import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Args, Command, Flags } from '@oclif/core';
import type { MachineArch } from '#schema/fields';

/** `icepkg build`: recipes to packages. */
export default class Build extends Command {
  static override summary = 'build packages from recipes';
  static override description = `Builds each recipe, and before it the build dependencies that were not built yet, in a
sandbox without network. A recipe is the name of a folder below recipes/, a folder, or a recipe.yaml.

Results are kept in the cache under a digest of everything that went in, so building again without a change
only copies. Fetched sources and logs are in the cache too.`;
  static override examples = [
    '<%= config.bin %> build zlib --arch aarch64',
    '<%= config.bin %> build ./my-recipe --arch x86_64 --output packages --key packager.key',
    '<%= config.bin %> build zlib --arch x86_64 --check-reproducible',
  ];
  static override strict = false;
  static override enableJsonFlag = true;
  static override args = {
    recipe: Args.string({ required: true, description: 'recipe to build; several may follow' }),
  };
  static override flags = {
    arch: Flags.option({
      options: ['x86_64', 'aarch64'] as const,
      default: (process.arch === 'arm64' ? 'aarch64' : 'x86_64') as MachineArch,
      description: 'architecture to build for',
    })(),
    output: Flags.string({
      char: 'o',
      default: '.cache/packages',
      description: 'folder that receives the packages',
    }),
    key: Flags.string({ multiple: true, description: 'private key file to sign the packages with' }),
    codec: Flags.option({
      options: ['zstd', 'xz'] as const,
      default: 'zstd' as const,
      description: 'compression of the packages',
    })(),
    cache: Flags.string({
      description: 'folder for sources and built packages (default: $XDG_CACHE_HOME/icepkg)',
    }),
    recipes: Flags.string({ multiple: true, description: 'folder to look for recipes in' }),
    jobs: Flags.integer({
      char: 'j',
      min: 1,
      default: os.availableParallelism(),
      description: 'parallel jobs of make',
    }),
    'no-check': Flags.boolean({ description: "leave out the recipes' own checks" }),
    'check-reproducible': Flags.boolean({
      description: 'build the named recipes twice and compare the bytes',
    }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Build);
    const { buildRecipes } = await import('#pkgbuild/build');
    const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
    const { decodePrivateKey } = await import('#schema/keys');
    const built = await buildRecipes({
      recipes: argv.map(String),
      arch: flags.arch,
      cacheFolder: path.resolve(flags.cache ?? defaultCacheFolder()),
      output: path.resolve(flags.output),
      keys: (flags.key ?? []).map((file) => decodePrivateKey(fs.readFileSync(file), file)),
      codec: flags.codec,
      jobs: flags.jobs,
      check: !flags['no-check'],
      checkReproducible: flags['check-reproducible'],
      onProgress: ({ recipe, arch, phase }) => {
        if (!this.jsonEnabled()) this.logToStderr(`${recipe} ${arch}: ${phase}`);
      },
      ...(flags.recipes === undefined ? {} : { roots: flags.recipes.map((folder) => path.resolve(folder)) }),
    });
    for (const { packages, reproducible } of built)
      for (const { file } of packages)
        this.log(`${path.join(flags.output, file)}${reproducible ? ' (reproducible)' : ''}`);
    return { built };
  }
}

import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { archFlag, BaseCommand } from '#cli/base-command';
import { createBuildReporter } from '#cli/build-progress';
import { briefLines } from '#cli/finding-lines';
import { Args, Flags } from '#cli/oclif';
import { recipesFlag } from '#cli/recipe-flags';
import { tableText } from '#cli/table';
import type { BuildOutcome, BuildRequest, BuiltRecipe } from '#pkgbuild/build';
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
    'icepkg build --all --arch aarch64 --parallel 2',
    'icepkg build hello --shell',
    'icepkg build hello zlib --queue redis://10.0.0.2:6379',
  ];
  static override strict = false;
  static override args = {
    recipe: Args.string({ description: 'recipe to build; several may follow' }),
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
    recipes: recipesFlag,
    jobs: Flags.integer({ char: 'j', min: 1, helpValue: 'N', summary: 'parallel jobs of make' }),
    option: Flags.string({
      multiple: true,
      helpValue: 'NAME=on|off',
      summary: 'decide an option of the recipes',
    }),
    all: Flags.boolean({
      summary: 'build every recipe for the architecture, go on after failures, show a table',
    }),
    parallel: Flags.integer({
      min: 1,
      default: 1,
      helpValue: 'N',
      summary: 'recipes built at the same time',
    }),
    resume: Flags.boolean({ summary: 'go on in the kept tree at the phase that failed' }),
    shell: Flags.boolean({
      summary: 'open a shell in the sandbox of the failed build',
      exclusive: ['all', 'resume'],
    }),
    'time-limit': Flags.integer({ min: 1, helpValue: 'MINUTES', summary: 'stop a phase that takes longer' }),
    'disk-limit': Flags.integer({
      min: 1,
      helpValue: 'GIB',
      summary: 'stop a build whose folder grows larger',
    }),
    queue: Flags.string({
      helpValue: 'URL',
      summary: 'let workers build (icepkg worker) that take jobs from this Redis server',
      exclusive: ['resume', 'shell', 'key', 'output', 'check-reproducible'],
    }),
    'no-check': Flags.boolean({ summary: 'leave out the checks that recipes define' }),
    'check-reproducible': Flags.boolean({ summary: 'build the named recipes twice and compare the bytes' }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Build);
    const { buildEverything, buildRecipes, openFailedBuild } = await import('#pkgbuild/build');
    const { DEFAULT_LIMITS } = await import('#pkgbuild/limits');
    const { allRecipes, defaultRecipeRoots } = await import('#pkgbuild/recipe');
    const { readKeyFile } = await import('#repo-server/key-files');
    const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
    const native = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
    const arch = flags.arch ?? native;
    const roots = flags.recipes?.map((folder) => resolve(folder)) ?? defaultRecipeRoots();
    const quiet = flags.quiet || this.jsonEnabled();
    const reporter = quiet ? undefined : createBuildReporter(process.stderr);
    const request: BuildRequest = {
      recipes: namedRecipes(argv.map(String), { all: flags.all, known: () => allRecipes(roots, arch) }),
      arch,
      roots,
      cacheFolder: resolve(flags.cache ?? defaultCacheFolder()),
      output: resolve(flags.output),
      keys: (flags.key ?? []).map(readKeyFile),
      codec: flags.codec,
      jobs: flags.jobs ?? availableParallelism(),
      parallel: flags.parallel,
      options: Object.fromEntries((flags.option ?? []).map(readOption)),
      check: !flags['no-check'],
      checkReproducible: flags['check-reproducible'],
      resume: flags.resume,
      limits: {
        ...DEFAULT_LIMITS,
        ...(flags['disk-limit'] === undefined ? {} : { diskBytes: flags['disk-limit'] * 1024 ** 3 }),
        ...(flags['time-limit'] === undefined ? {} : { seconds: flags['time-limit'] * 60 }),
      },
      onProgress: (progress) => reporter?.onProgress(progress),
      signal: this.interruptible(),
    };
    if (flags.queue !== undefined) return this.buildOnQueue(flags.queue, request);
    if (flags.shell) {
      const status = await openFailedBuild(request);
      return { status };
    }
    const end = (): void => reporter?.end();
    if (flags.all) {
      const outcomes = await buildEverything(request).finally(end);
      if (!flags.quiet) this.reportFindings(outcomes.flatMap((one) => ('built' in one ? [one.built] : [])));
      return this.reportAll(outcomes);
    }
    const built = await buildRecipes(request).finally(end);
    if (!flags.quiet) this.reportFindings(built);
    for (const { packages, reproducible } of built) {
      const remark = reproducible ? ' (reproducible)' : '';
      for (const { file } of packages) this.print(`${join(flags.output, file)}${remark}`);
    }
    return { recipes: built };
  }

  /** On stderr, where a script that reads the names of the packages does not see them. */
  private reportFindings(built: readonly BuiltRecipe[]): void {
    const lines = briefLines(built.flatMap(({ findings }) => findings));
    for (const line of lines) this.remark(line);
    if (lines.length > 0)
      this.remark(
        'icepkg recipe lint --explain RULE says more; what is right as it is goes under lint.allow in the recipe',
      );
  }

  private async buildOnQueue(queue: string, request: BuildRequest): Promise<unknown> {
    const { buildOnQueue } = await import('#pkgbuild/queue/submit');
    const built = await buildOnQueue({
      ...request,
      queue,
      onStep: ({ worker, recipe, arch, phase }) => this.remark(`${recipe} for ${arch}: ${phase} (${worker})`),
    });
    const failed: string[] = [];
    for (const { recipe, answer } of built) {
      if (answer.state === 'built') for (const { file } of answer.packages) this.print(file);
      else {
        failed.push(recipe);
        this.remark(`${recipe} failed on ${answer.worker}: ${answer.message}\n${answer.hint ?? ''}`);
      }
    }
    if (failed.length === 0) return { recipes: built };
    throw new IcepkgError(
      'build-failed',
      `${failed.length} of ${built.length} recipes failed: ${failed.join(' ')}`,
      {
        hint: 'What the log of each ends with is above',
        data: { recipes: built },
      },
    );
  }

  /** One row a recipe, and a failure at the end where one failed. */
  private reportAll(outcomes: readonly BuildOutcome[]): unknown {
    const rows = outcomes.map((outcome) => {
      if (outcome.state === 'failed')
        return [outcome.recipe, outcome.arch, 'failed', '', '', outcome.error.message];
      if (outcome.state === 'blocked')
        return [outcome.recipe, outcome.arch, 'not built', '', '', `needs ${outcome.by}`];
      const { recipe, arch, seconds, packages } = outcome.built;
      const size = packages.reduce((sum, one) => sum + one.size, 0);
      return [recipe, arch, outcome.state, seconds.toFixed(1), String(size), ''];
    });
    this.print(tableText([['recipe', 'arch', 'state', 'seconds', 'bytes', 'why'], ...rows]));
    const count = (state: BuildOutcome['state']): number =>
      outcomes.filter((one) => one.state === state).length;
    this.print(
      `${count('built')} built, ${count('cached')} cached, ${count('failed')} failed, ${count('blocked')} not built`,
    );
    const first = outcomes.find((one) => one.state === 'failed');
    if (first === undefined) return { recipes: outcomes };
    throw new IcepkgError('build-failed', `${count('failed')} of ${outcomes.length} recipes failed`, {
      cause: first.error,
      hint:
        first.error instanceof IcepkgError ? (first.error.hint ?? first.error.message) : first.error.message,
      data: { recipes: outcomes.map((one) => ('error' in one ? { ...one, error: one.error.message } : one)) },
    });
  }
}

interface Selection {
  readonly all: boolean;
  readonly known: () => string[];
}

/** @throws IcepkgError `usage` where nothing, or both names and --all, are given */
function namedRecipes(names: readonly string[], { all, known }: Selection): readonly string[] {
  if (all && names.length > 0)
    throw new IcepkgError('usage', '--all builds every recipe, so none can be named', {
      hint: `Leave out ${names.join(' ')}, or --all`,
    });
  if (!all && names.length === 0)
    throw new IcepkgError('usage', 'no recipe is named', { hint: 'Name one, or build every recipe: --all' });
  return all ? known() : names;
}

/** @throws IcepkgError `usage` for what is not `NAME=on` or `NAME=off` */
function readOption(text: string): [string, boolean] {
  const [, name, value] = /^([a-z][a-z0-9_-]*)=(on|off)$/.exec(text) ?? [];
  if (name !== undefined) return [name, value === 'on'];
  throw new IcepkgError('usage', `--option ${text} says neither on nor off`, {
    hint: 'Write --option NAME=on or --option NAME=off',
  });
}

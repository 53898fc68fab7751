import { Args } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';

export default class Why extends BaseCommand {
  static override summary = 'Say why a package is installed';
  static override description =
    'Shows the shortest chain of dependencies from what was asked for to the package.';
  static override examples = ['icepkg why zlib', 'icepkg why so:libz.so.1 --root ./device'];
  static override args = { package: Args.string({ required: true, description: 'package or capability' }) };
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Why);
    const context = await this.openRoot(flags);
    const { why } = await import('#engine/queries/why');
    const result = why(context.root, args.package);
    this.print(result.paths.map((path) => path.join('\n  <- ')).join('\n'));
    return result;
  }
}

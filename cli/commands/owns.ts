import { Args } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';

export default class Owns extends BaseCommand {
  static override summary = 'Say which package a file belongs to';
  static override description = 'Paths are seen from inside the root; symlinked directories are followed.';
  static override examples = ['icepkg owns /bin/sh', 'icepkg owns usr/lib/libz.so.1 --root ./device'];
  static override strict = false;
  static override args = { path: Args.string({ required: true, description: 'path inside the root' }) };
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Owns);
    const context = await this.openRoot(flags);
    const { owns, unownedError } = await import('#engine/queries/owns');
    const result = owns(context.root, argv.map(String));
    const owned = result.filter(({ packages }) => packages.length > 0);
    for (const one of owned) this.print(`/${one.path}: ${one.packages.join(', ')}`);
    if (owned.length < result.length)
      throw unownedError(result.filter(({ packages }) => packages.length === 0));
    return { paths: result };
  }
}

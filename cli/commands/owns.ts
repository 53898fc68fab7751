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
    const { owns } = await import('#engine/queries/owns');
    const result = argv.map((path) => owns(context.root, String(path)));
    for (const one of result) this.print(`/${one.path}: ${one.packages.join(', ')}`);
    return { paths: result };
  }
}

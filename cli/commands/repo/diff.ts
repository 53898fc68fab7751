import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { diffText } from '#cli/repo-flags';
import { IcepkgError } from '#schema/error';

export default class RepoDiff extends BaseCommand {
  static override summary = 'Compare two snapshots or channels';
  static override description =
    'Lists packages that were added (+), removed (-), upgraded (^) and downgraded (v). Each side is a channel or the number of a \
snapshot. With --staged one channel is given, and the other side is what its next publish makes of it.';
  static override examples = [
    'icepkg repo diff ./repo stable beta',
    'icepkg repo diff ./repo 11 12',
    'icepkg repo diff ./repo stable --staged',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
    before: Args.string({ required: true, description: 'channel, or number of a snapshot' }),
    after: Args.string({ description: 'channel, or number of a snapshot' }),
  };
  static override flags = {
    staged: Flags.boolean({ default: false, summary: 'compare with what the next publish makes of it' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoDiff);
    const { diffSnapshots, diffStaged } = await import('#repo-server/promote');
    if ((args.after === undefined) !== flags.staged) {
      throw new IcepkgError('usage', 'a comparison has two sides', {
        hint: 'Give two channels or snapshots, or one channel and --staged',
      });
    }
    const diff =
      args.after === undefined
        ? await diffStaged(args.repository, args.before)
        : diffSnapshots(args.repository, args.before, args.after);
    this.print(diffText(diff));
    return diff;
  }
}

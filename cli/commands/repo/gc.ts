import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { waitFlag, waiting } from '#cli/repo-flags';
import { countText, sizeText } from '#cli/size';

export default class RepoGc extends BaseCommand {
  static override summary = 'Give up old snapshots and remove files that nothing names';
  static override description = `Works in two steps. What no channel, no kept snapshot and no staged package names is condemned; what was
condemned by an earlier run, at least --grace hours ago, and is still named by nothing, is removed. So clients that
fetched the index before still find what it names. Run it daily.

Kept are the snapshots that are served, and of each channel the newest 10 and all of the last 30 days, unless
repository.json (member retention) or the flags say otherwise.`;
  static override examples = [
    'icepkg repo gc ./repo --dry-run',
    'icepkg repo gc ./repo',
    'icepkg repo gc ./repo --keep 3 --keep-days 7 --grace 48',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = {
    keep: Flags.integer({ min: 0, helpValue: 'N', summary: 'newest snapshots of each channel to keep' }),
    'keep-days': Flags.integer({ min: 0, helpValue: 'N', summary: 'keep all snapshots of so many days' }),
    grace: Flags.integer({
      min: 0,
      default: 24,
      helpValue: 'HOURS',
      summary: 'how long a file stays that nothing names',
    }),
    'dry-run': Flags.boolean({ char: 'n', summary: 'tell what would go and change nothing' }),
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoGc);
    const { collectGarbage } = await import('#repo-server/gc');
    const days = flags['keep-days'];
    const ruled = flags.keep !== undefined || days !== undefined;
    const collected = await collectGarbage(args.repository, {
      graceHours: flags.grace,
      dryRun: flags['dry-run'],
      ...(ruled
        ? {
            retention: {
              ...(flags.keep === undefined ? {} : { keep: flags.keep }),
              ...(days === undefined ? {} : { days }),
            },
          }
        : {}),
      ...waiting(flags.wait, (text) => this.remark(text)),
    });
    const { snapshots, condemned, waiting: later, removed, removedBytes } = collected;
    if (snapshots.length > 0) this.print(`snapshots given up: ${snapshots.join(' ')}`);
    const future = flags['dry-run'] ? 'would be ' : '';
    this.print(
      `${countText(removed.length, 'file')} ${future}removed (${sizeText(removedBytes)}), ` +
        `${condemned.length} ${future}condemned now, ${later.length} waiting`,
    );
    return collected;
  }
}

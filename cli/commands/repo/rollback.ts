import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { channelFlag, diffText, keyFlag, messageFlag, waitFlag, waiting } from '#cli/repo-flags';

export default class RepoRollback extends BaseCommand {
  static override summary = 'Let a channel serve an earlier snapshot again';
  static override description = `Goes back to the snapshot that the channel served before, or to the one that --to names. The versions of the
signed metadata go up all the same, so clients follow. What clients installed meanwhile stays installed until they
are told otherwise.`;
  static override examples = [
    'icepkg repo rollback ./repo --dry-run',
    'icepkg repo rollback ./repo --channel beta --to 12 --key packager.key',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = {
    channel: channelFlag,
    to: Flags.integer({ min: 1, helpValue: 'NUMBER', summary: 'snapshot to go back to' }),
    key: keyFlag,
    message: messageFlag,
    'dry-run': Flags.boolean({ char: 'n', summary: 'tell what would change and change nothing' }),
    'discard-staged': Flags.boolean({ summary: 'give up what was added and never published' }),
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoRollback);
    const { rollbackChannel } = await import('#repo-server/promote');
    const { readKeyFile } = await import('#repo-server/key-files');
    const moved = await rollbackChannel(args.repository, {
      channel: flags.channel,
      keys: (flags.key ?? []).map(readKeyFile),
      dryRun: flags['dry-run'],
      discardStaged: flags['discard-staged'],
      ...(flags.to === undefined ? {} : { to: flags.to }),
      ...(flags.message === undefined ? {} : { message: flags.message }),
      ...waiting(flags.wait, (text) => this.remark(text)),
    });
    if (flags['dry-run']) this.print(`back to ${moved.from}:\n${diffText(moved.diff)}`);
    else this.print(`${moved.channel} serves ${moved.from} ${moved.changed ? 'again' : 'already'}`);
    return moved;
  }
}

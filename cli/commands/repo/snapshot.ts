import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { channelFlag, messageFlag, waitFlag, waiting } from '#cli/repo-flags';
import { countText } from '#cli/size';

export default class RepoSnapshot extends BaseCommand {
  static override summary = 'Keep a state of a channel without publishing it';
  static override description = `Makes a numbered snapshot of what a channel serves with what was added and taken out since. No client sees it
before icepkg repo promote lets a channel serve it. It takes no key.`;
  static override examples = [
    'icepkg repo snapshot ./repo --channel beta --message "before the toolchain"',
    'icepkg repo promote ./repo 12 stable --key packager.key',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = { channel: channelFlag, message: messageFlag, wait: waitFlag };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoSnapshot);
    const { takeSnapshot } = await import('#repo-server/publish');
    const made = await takeSnapshot(args.repository, {
      channel: flags.channel,
      ...(flags.message === undefined ? {} : { message: flags.message }),
      ...waiting(flags.wait, (text) => this.remark(text)),
    });
    this.print(`snapshot ${made.number}: ${countText(made.packages, 'package')} of ${flags.channel}`);
    return made;
  }
}

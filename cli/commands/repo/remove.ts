import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { waitFlag, waiting } from '#cli/repo-flags';

export default class RepoRemove extends BaseCommand {
  static override summary = 'Take packages out of a channel';
  static override description =
    'Clients stop seeing them after the next icepkg repo publish. The files stay, because older indexes name them.';
  static override examples = [
    'icepkg repo remove ./repo zlib-1.3.1-r0',
    'icepkg repo remove ./repo zlib --channel beta',
  ];
  static override strict = false;
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
    package: Args.string({ required: true, description: 'NAME or NAME-VERSION-rN; several may follow' }),
  };
  static override flags = {
    channel: Flags.string({
      default: 'stable',
      helpValue: 'CHANNEL',
      summary: 'channel to take them out of',
    }),
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { argv, args, flags } = await this.parse(RepoRemove);
    const { removePackages } = await import('#repo-server/add');
    const removed = await removePackages(args.repository, argv.slice(1).map(String), {
      channel: flags.channel,
      ...waiting(flags.wait, (text) => this.remark(text)),
    });
    for (const { name, version, arch } of removed) this.print(`took out ${name}-${version} (${arch})`);
    return { packages: removed };
  }
}

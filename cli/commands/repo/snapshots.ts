import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { tableText } from '#cli/table';

export default class RepoSnapshots extends BaseCommand {
  static override summary = 'List the snapshots of a repository';
  static override description =
    'Newest first: number, time, the channel it was made of, which channels serve it, how many packages it has, and\n' +
    'what its publisher said, and whoever moved another channel to it.';
  static override examples = ['icepkg repo snapshots ./repo', 'icepkg repo snapshots ./repo --json'];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoSnapshots);
    const { listSnapshots } = await import('#repo-server/snapshots');
    const snapshots = listSnapshots(args.repository);
    if (snapshots.length > 0)
      this.print(
        tableText([
          ['SNAPSHOT', 'MADE', 'OF', 'SERVED AS', 'PACKAGES', 'MESSAGE'],
          ...snapshots.map((of) => [
            String(of.number),
            of.created,
            of.channel,
            of.servedAs.join(' '),
            String(of.packages),
            [of.message ?? [], of.moves.map(({ channel, message }) => `${channel}: ${message}`)]
              .flat(2)
              .join('; '),
          ]),
        ]),
      );
    else if (!flags.quiet) this.remark('no snapshot yet: icepkg repo publish makes one');
    return { snapshots };
  }
}

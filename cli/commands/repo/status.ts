import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { sizeText } from '#cli/size';
import { tableText } from '#cli/table';

export default class RepoStatus extends BaseCommand {
  static override summary = 'Show what a repository holds and until when it is good';
  static override description =
    'Lists channels, the versions and lifetimes of their roles, and their packages.';
  static override examples = ['icepkg repo status ./repo', 'icepkg repo status ./repo --packages'];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = { packages: Flags.boolean({ summary: 'list the packages too' }) };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoStatus);
    const { repositoryStatus } = await import('#repo-server/status');
    const status = repositoryStatus(args.repository);
    for (const { channel, packages, roles } of status.channels) {
      this.print(`${status.name}/${channel}: ${packages.length} packages`);
      const rows = roles.map(({ role, version, expires, expired, threshold, keyids }) => [
        `  ${role}`,
        `version ${version}`,
        `${threshold} of ${keyids.length} keys`,
        `${expired ? 'EXPIRED' : 'good until'} ${expires}`,
      ]);
      if (rows.length > 0) this.print(tableText(rows));
      if (flags.packages && packages.length > 0) {
        this.print(tableText(packages.map((of) => [`  ${of.name}`, of.version, of.arch, sizeText(of.size)])));
      }
    }
    return status;
  }
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { countText, sizeText } from '#cli/size';
import { tableText } from '#cli/table';

export default class RepoStatus extends BaseCommand {
  static override summary = 'Show what a repository holds and until when it is good';
  static override description =
    'Lists channels, the versions and lifetimes of their roles, what the next publish changes, and every problem \
that keeps clients from using it or soon will. Exits 0 all the same: scripts look at `problems` under --json.';
  static override examples = ['icepkg repo status ./repo', 'icepkg repo status ./repo --packages'];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = { packages: Flags.boolean({ summary: 'list the packages too' }) };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoStatus);
    const { repositoryStatus } = await import('#repo-server/status');
    const { inspectChannel } = await import('#repo-server/inspect');
    const { channels, ...repository } = repositoryStatus(args.repository);
    const inspected = [];
    for (const of of channels) inspected.push({ ...of, ...inspectChannel(args.repository, of.channel) });
    const status = { ...repository, channels: inspected };
    for (const { channel, snapshot, packages, roles, toAdd, toRemove, problems } of inspected) {
      this.print(
        `${status.name}/${channel}: ${countText(packages.length, 'package')}${snapshot === undefined ? '' : `, snapshot ${snapshot}`}`,
      );
      const rows = roles.map(({ role, version, expires, expired, threshold, keyids }) => [
        `  ${role}`,
        `version ${version}`,
        `${threshold} of ${keyids.length} keys`,
        `${expired ? 'EXPIRED' : 'good until'} ${expires}`,
      ]);
      if (rows.length > 0) this.print(tableText(rows));
      for (const name of toAdd) this.print(`  to publish: + ${name}`);
      for (const name of toRemove) this.print(`  to publish: - ${name}`);
      for (const problem of problems) this.print(`  problem: ${problem}`);
      if (flags.packages && packages.length > 0) {
        this.print(tableText(packages.map((of) => [`  ${of.name}`, of.version, of.arch, sizeText(of.size)])));
      }
    }
    return status;
  }
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { waitFlag, waiting } from '#cli/repo-flags';

export default class RepoAdd extends BaseCommand {
  static override summary = 'Add packages to a repository';
  static override description =
    'Verifies each package whole and copies it in. Of a folder all packages in it are meant. All are added or none is.\n' +
    'Clients see them after the next icepkg repo publish. A package whose version the repository has with other content\n' +
    'is refused.';
  static override examples = [
    'icepkg repo add ./repo packages/zlib-1.3.1-r0.x86_64.icepkg',
    'icepkg repo add ./repo packages',
    'icepkg repo add ./repo packages/*.icepkg --channel beta --trust packager.pub',
  ];
  static override strict = false;
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
    package: Args.string({
      required: true,
      description: 'package file, or folder of packages; several may follow',
    }),
  };
  static override flags = {
    channel: Flags.string({ default: 'stable', helpValue: 'CHANNEL', summary: 'channel to add them to' }),
    trust: Flags.string({
      multiple: true,
      helpValue: 'FILE',
      summary: 'refuse packages that none of these keys signed',
    }),
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { argv, args, flags } = await this.parse(RepoAdd);
    const { addPackages } = await import('#repo-server/add');
    const { readAnyKey } = await import('#repo-server/key-files');
    const { packageFiles } = await import('#repo-server/package-files');
    const added = await addPackages(args.repository, packageFiles(argv.slice(1).map(String)), {
      channel: flags.channel,
      ...waiting(flags.wait, (text) => this.remark(text)),
      ...(flags.trust === undefined
        ? {}
        : { trustedKeys: flags.trust.map((file) => readAnyKey(file).public) }),
    });
    for (const { record, outcome } of added) {
      const what = `${record.name}-${record.version} (${record.arch})`;
      if (!flags.quiet) this.print(outcome === 'added' ? `added ${what}` : `${what} is there already`);
    }
    return { packages: added };
  }
}

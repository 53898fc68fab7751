import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { channelText } from '#cli/mirror-flags';
import { waitFlag, waiting } from '#cli/repo-flags';

export default class RepoBundleImport extends BaseCommand {
  static override summary = 'Bring a copy of a repository to the state of a bundle';
  static override description =
    'Verifies the bundle from the trusted root on, and refuses an older state than the copy has. Clients see the new\n' +
    'state only once it is whole.';
  static override examples = [
    'icepkg repo bundle import ./mirror full.tar --trust root.json',
    'icepkg repo bundle import ./mirror week-47.tar',
  ];
  static override args = {
    to: Args.string({ required: true, description: 'folder of the copy' }),
    file: Args.string({ required: true, description: 'the bundle' }),
  };
  static override flags = {
    trust: Flags.string({ helpValue: 'FILE', summary: 'trusted root, which the first import needs' }),
    name: Flags.string({ default: 'main', helpValue: 'NAME', summary: 'name of the copy' }),
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoBundleImport);
    const { importBundle } = await import('#repo-server/bundle');
    const { readRootFile } = await import('#repo-server/root-change');
    const imported = await importBundle(args.to, args.file, {
      name: flags.name,
      ...(flags.trust === undefined ? {} : { trustedRoot: readRootFile(flags.trust) }),
      ...waiting(flags.wait, (text) => this.remark(text)),
    });
    for (const one of imported.channels) {
      this.print(channelText(one));
      for (const problem of one.problems) this.remark(problem);
    }
    return imported;
  }
}

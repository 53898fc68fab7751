import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class RepoAttach extends BaseCommand {
  static override summary = 'Make a root use a repository';
  static override description =
    'Installs the trusted root of the repository and appends it to etc/icepkg/repositories.toml. The file given with\n' +
    '--trust must have come to you by a trusted way, not from the mirror itself.';
  static override examples = [
    'icepkg repo attach main https://packages.example.org --trust root.json --root ./device',
    'icepkg repo attach usb /media/stick/repo --trust root.json --channel beta',
    'icepkg repo attach main https://packages.example.org --trust root.json --snapshot 42',
  ];
  static override strict = false;
  static override args = {
    name: Args.string({ required: true, description: 'name of the repository in this root' }),
    mirror: Args.string({
      required: true,
      description: 'address or folder of a mirror; more may follow, in order',
    }),
  };
  static override flags = {
    root: Flags.string({ default: '/', helpValue: 'DIR', summary: 'root folder to work on' }),
    trust: Flags.string({
      required: true,
      helpValue: 'FILE',
      summary: 'root.json that the operator of the repository gave you',
    }),
    channel: Flags.string({ default: 'stable', helpValue: 'CHANNEL', summary: 'channel of the repository' }),
    snapshot: Flags.integer({
      min: 1,
      helpValue: 'N',
      summary: 'stay at snapshot N of the channel, whatever it serves later',
    }),
    'pinned-only': Flags.boolean({
      summary: 'take only packages from it that are pinned to it, and what those need',
    }),
  };

  async run(): Promise<unknown> {
    const { argv, args, flags } = await this.parse(RepoAttach);
    const { locateRoot } = await import('#engine/context');
    const { attachRepository } = await import('#engine/config-attach');
    const root = locateRoot(flags.root);
    const mirrors = attachRepository(root, {
      name: args.name,
      mirrors: argv.slice(1).map(String),
      trustedRoot: flags.trust,
      channel: flags.channel,
      ...(flags.snapshot === undefined ? {} : { snapshot: flags.snapshot }),
      pinnedOnly: flags['pinned-only'],
    });
    const { channel, snapshot } = flags;
    this.print(`${root} uses ${args.name} (${channel}${snapshot === undefined ? '' : `@${snapshot}`}) now`);
    return { root, name: args.name, channel, ...(snapshot === undefined ? {} : { snapshot }), mirrors };
  }
}

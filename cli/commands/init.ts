import { Flags } from '#cli/oclif';
import { archFlag, BaseCommand } from '#cli/base-command';

export default class Init extends BaseCommand {
  static override summary = 'Make a folder a root';
  static override description =
    'Creates the package database and the configuration. With --repository and --trust, a repository is attached too;\n' +
    'on a root that exists already, that is all that is done.';
  static override examples = [
    'icepkg init --root ./device --arch aarch64',
    'icepkg init --root ./device --repository main=https://packages.example.org --trust ./root.json',
  ];
  static override flags = {
    root: Flags.string({ default: '/', helpValue: 'DIR', summary: 'folder to make a root' }),
    ...archFlag,
    repository: Flags.string({
      helpValue: 'NAME=MIRROR',
      dependsOn: ['trust'],
      summary: 'repository to attach: an address or a folder',
    }),
    trust: Flags.string({
      helpValue: 'FILE',
      dependsOn: ['repository'],
      summary: 'root.json that the operator of the repository gave you',
    }),
    channel: Flags.string({ helpValue: 'CHANNEL', summary: 'channel of the repository' }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Init);
    const { initRoot } = await import('#engine/init-root');
    const native = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
    const outcome = initRoot(flags.root, { arch: flags.arch ?? native });
    if (flags.repository !== undefined && flags.trust !== undefined) {
      const { attachRepository } = await import('#engine/config-attach');
      const [name = '', ...mirror] = flags.repository.split('=');
      attachRepository(outcome.root, {
        name,
        mirrors: [mirror.join('=')],
        trustedRoot: flags.trust,
        ...(flags.channel === undefined ? {} : { channel: flags.channel }),
      });
    }
    this.print(`${outcome.root} ${outcome.created ? 'is a root now' : 'was a root already'}`);
    return outcome;
  }
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class RepoDetach extends BaseCommand {
  static override summary = 'Make a root use a repository no more';
  static override description =
    'Takes the repository out of etc/icepkg/repositories.toml, with its trusted root and its cached index. What came from\n' +
    'it stays installed. Its version numbers are remembered: attached again, it cannot be older than it was.';
  static override examples = ['icepkg repo detach usb', 'icepkg repo detach main --root ./device'];
  static override args = { name: Args.string({ required: true, description: 'name of the repository' }) };
  static override flags = {
    root: Flags.string({ default: '/', helpValue: 'DIR', summary: 'root folder to work on' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoDetach);
    const { locateRoot } = await import('#engine/context');
    const { detachRepository } = await import('#engine/config-detach');
    const root = locateRoot(flags.root);
    const { pinned } = detachRepository(root, args.name);
    this.print(`${root} uses ${args.name} no more`);
    for (const name of pinned)
      this.remark(this.hintText(`note: ${name} is pinned to it; release it: icepkg unpin ${name}`));
    return { root, name: args.name, pinned };
  }
}

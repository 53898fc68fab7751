import { Args } from '#cli/oclif';
import { changeFlags } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Reinstall extends ChangeCommand {
  static override summary = 'Install packages again, to mend their files';
  static override examples = ['icepkg reinstall busybox', 'icepkg reinstall busybox zlib --yes'];
  static override strict = false;
  static override args = { package: Args.string({ required: true, description: 'installed package' }) };
  static override flags = changeFlags;

  async run(): Promise<ChangeResult> {
    const { argv, flags } = await this.parse(Reinstall);
    const { reinstallRequest } = await import('#engine/requests');
    const { changeWorld } = await import('#engine/change-world');
    const request = reinstallRequest(flags.root, argv.map(String));
    return this.change(flags, async (context, setting) => changeWorld(context, { ...request, ...setting }));
  }
}

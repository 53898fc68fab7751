import { Args } from '#cli/oclif';
import { changeFlags } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Unpin extends ChangeCommand {
  static override summary = 'Let pinned packages come from any repository again';
  static override examples = ['icepkg unpin busybox'];
  static override strict = false;
  static override args = { package: Args.string({ required: true, description: 'package' }) };
  static override flags = changeFlags;

  async run(): Promise<ChangeResult> {
    const { argv, flags } = await this.parse(Unpin);
    const { worldRequest } = await import('#engine/requests');
    const { unpin } = await import('#engine/world');
    const { changeWorld } = await import('#engine/change-world');
    const names = argv.map(String);
    const request = worldRequest(`unpin ${names.join(' ')}`, (world) => unpin(world, names));
    return this.change(flags, async (context, setting) => changeWorld(context, { ...request, ...setting }));
  }
}

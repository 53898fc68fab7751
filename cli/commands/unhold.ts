import { Args } from '#cli/oclif';
import { changeFlags } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Unhold extends ChangeCommand {
  static override summary = 'Let held packages be upgraded again';
  static override examples = ['icepkg unhold busybox'];
  static override strict = false;
  static override args = { package: Args.string({ required: true, description: 'package' }) };
  static override flags = changeFlags;

  async run(): Promise<ChangeResult> {
    const { argv, flags } = await this.parse(Unhold);
    const { worldRequest } = await import('#engine/requests');
    const { unhold } = await import('#engine/world');
    const { changeWorld } = await import('#engine/change-world');
    const names = argv.map(String);
    const request = worldRequest(`unhold ${names.join(' ')}`, (world) => unhold(world, names));
    return this.change(flags, async (context, setting) => changeWorld(context, { ...request, ...setting }));
  }
}

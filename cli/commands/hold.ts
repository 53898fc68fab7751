import { Args } from '#cli/oclif';
import { changeFlags } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Hold extends ChangeCommand {
  static override summary = 'Keep packages at the version they have';
  static override examples = ['icepkg hold busybox'];
  static override strict = false;
  static override args = { package: Args.string({ required: true, description: 'package' }) };
  static override flags = changeFlags;

  async run(): Promise<ChangeResult> {
    const { argv, flags } = await this.parse(Hold);
    const { worldRequest } = await import('#engine/requests');
    const { hold } = await import('#engine/world');
    const { changeWorld } = await import('#engine/change-world');
    const names = argv.map(String);
    const request = worldRequest(`hold ${names.join(' ')}`, (world) => hold(world, names));
    return this.change(flags, async (context, setting) => changeWorld(context, { ...request, ...setting }));
  }
}

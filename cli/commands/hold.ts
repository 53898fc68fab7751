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
    const { holdRequest } = await import('#engine/requests');
    const { changeWorld } = await import('#engine/change-world');
    return this.change(flags, async (context, setting) =>
      changeWorld(context, { ...holdRequest(context.root, argv.map(String)), ...setting }),
    );
  }
}

import { Args } from '#cli/oclif';
import { changeFlags } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Pin extends ChangeCommand {
  static override summary = 'Take a package from one repository or channel only';
  static override examples = ['icepkg pin bash testing', 'icepkg pin bash main/beta --yes'];
  static override args = {
    package: Args.string({ required: true, description: 'package' }),
    source: Args.string({ required: true, description: 'repository, or REPOSITORY/CHANNEL' }),
  };
  static override flags = changeFlags;

  async run(): Promise<ChangeResult> {
    const { args, flags } = await this.parse(Pin);
    const { pinRequest } = await import('#engine/requests');
    const { changeWorld } = await import('#engine/change-world');
    return this.change(flags, async (context, setting) =>
      changeWorld(context, { ...pinRequest(context.config, args.package, args.source), ...setting }),
    );
  }
}

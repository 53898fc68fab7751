import { changeFlags } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Autoremove extends ChangeCommand {
  static override summary = 'Remove packages that nothing needs any more';
  static override examples = ['icepkg autoremove', 'icepkg autoremove --dry-run'];
  static override flags = changeFlags;

  async run(): Promise<ChangeResult> {
    const { flags } = await this.parse(Autoremove);
    const { changeWorld } = await import('#engine/change-world');
    return this.change(flags, async (context, setting) =>
      changeWorld(context, {
        description: 'autoremove',
        edit: (world) => world,
        upgrade: 'none',
        keepOrphans: false,
        ...setting,
      }),
    );
  }
}

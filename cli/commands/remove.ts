import { Args, Flags } from '#cli/oclif';
import { changeFlags } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Remove extends ChangeCommand {
  static override summary = 'Remove packages and what only they needed';
  static override description =
    'Takes packages out of world. A package that another one still needs stays installed.\n' +
    'Configuration files that were changed stay on disk.';
  static override examples = ['icepkg remove bash', 'icepkg remove bash --keep-dependencies --yes'];
  static override strict = false;
  static override args = {
    package: Args.string({ required: true, description: 'package that was asked for' }),
  };
  static override flags = {
    ...changeFlags,
    'keep-dependencies': Flags.boolean({ summary: 'keep packages that nothing needs any more' }),
  };

  async run(): Promise<ChangeResult> {
    const { argv, flags } = await this.parse(Remove);
    const { removeRequest } = await import('#engine/requests');
    const { changeWorld } = await import('#engine/change-world');
    return this.change(flags, async (context, setting) =>
      changeWorld(context, {
        ...removeRequest(context.root, argv.map(String)),
        ...setting,
        ...(flags['keep-dependencies'] ? { keepOrphans: true } : {}),
      }),
    );
  }
}

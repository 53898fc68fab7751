import { Args, Flags } from '#cli/oclif';
import { changeFlags } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Upgrade extends ChangeCommand {
  static override summary = 'Upgrade packages to the newest versions that fit';
  static override description =
    'Without a name, everything is upgraded. Held packages keep their version, pinned ones their repository.';
  static override examples = [
    'icepkg upgrade',
    'icepkg upgrade zlib bash --dry-run',
    'icepkg upgrade --available --yes',
  ];
  static override strict = false;
  static override args = { package: Args.string({ description: 'package to upgrade; all without one' }) };
  static override flags = {
    ...changeFlags,
    overwrite: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'GLOB',
      summary: 'take paths that match though no package owns what is there',
    }),
    available: Flags.boolean({ summary: 'move to what repositories offer even where that is older' }),
  };

  async run(): Promise<ChangeResult> {
    const { argv, flags } = await this.parse(Upgrade);
    const { upgradeRequest } = await import('#engine/requests');
    const { changeWorld } = await import('#engine/change-world');
    return this.change(flags, async (context, setting) =>
      changeWorld(context, {
        ...upgradeRequest(context, argv.map(String)),
        ...setting,
        preferAvailable: flags.available,
        overwrite: flags.overwrite ?? [],
      }),
    );
  }
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';

export default class ConfigAccept extends BaseCommand {
  static override summary = 'Take the new version of a configuration file, or keep yours';
  static override examples = [
    'icepkg config accept /etc/profile',
    'icepkg config accept /etc/profile --mine',
  ];
  static override args = { path: Args.string({ required: true, description: 'path inside the root' }) };
  static override flags = {
    ...rootFlags,
    mine: Flags.boolean({ summary: 'keep your version and delete the new one' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ConfigAccept);
    const context = await this.openRoot(flags);
    const { configAccept } = await import('#engine/queries/config-files');
    const result = configAccept(context.root, args.path, { mine: flags.mine });
    this.print(`/${result.path}: ${result.kept === 'mine' ? 'kept yours' : 'took the new version'}`);
    return result;
  }
}

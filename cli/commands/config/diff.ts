import { Args } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';

export default class ConfigDiff extends BaseCommand {
  static override summary = 'Show how the new version of a configuration file differs from yours';
  static override examples = ['icepkg config diff /etc/profile'];
  static override args = { path: Args.string({ required: true, description: 'path inside the root' }) };
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ConfigDiff);
    const context = await this.openRoot(flags);
    const { configDiff } = await import('#engine/queries/config-files');
    const result = configDiff(context.root, args.path);
    this.print(result.diff);
    return result;
  }
}

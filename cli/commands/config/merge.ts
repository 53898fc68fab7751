import { Args } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';
import { countText } from '#cli/size';

export default class ConfigMerge extends BaseCommand {
  static override summary =
    'Write both versions of a configuration file into one, with marks where they differ';
  static override description =
    'The merged text replaces your file; where the versions differ, both stand between <<<<<<< yours and >>>>>>> new.\n' +
    'Your file as it was is kept beside it as .icepkg-old. Edit the marks away afterwards.';
  static override examples = ['icepkg config merge /etc/profile'];
  static override args = { path: Args.string({ required: true, description: 'path inside the root' }) };
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ConfigMerge);
    const context = await this.openRoot(flags);
    const { configMerge } = await import('#engine/queries/config-files');
    const result = configMerge(context.root, args.path);
    this.print(
      result.differences === 0
        ? `/${result.path}: both versions are the same`
        : `/${result.path}: ${countText(result.differences, 'place')} to settle, marked <<<<<<< and >>>>>>>`,
    );
    if (result.saved !== null) this.print(`your file as it was: /${result.saved}`);
    return result;
  }
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';

export default class Download extends BaseCommand {
  static override summary = 'Download packages to a folder, verified, without installing them';
  static override examples = ['icepkg download busybox', 'icepkg download "zlib@^1.3" --to ./packages'];
  static override strict = false;
  static override args = {
    package: Args.string({ required: true, description: 'package, or name with a range' }),
  };
  static override flags = {
    ...rootFlags,
    to: Flags.string({ default: '.', helpValue: 'DIR', summary: 'folder to put them in' }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Download);
    const context = await this.openRoot(flags);
    const { download } = await import('#engine/queries/download');
    const files = await download(context, argv.map(String), flags.to);
    for (const file of files) this.print(file);
    return { files };
  }
}

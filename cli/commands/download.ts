import { Args, Flags } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';

export default class Download extends BaseCommand {
  static override summary = 'Download packages to a folder, verified, without installing them';
  static override description =
    'With --with-dependencies everything comes along that an installation into the root would bring; with --for-empty-root\n' +
    'besides, all that a root without any package needs.';
  static override examples = [
    'icepkg download busybox',
    'icepkg download "zlib@^1.3" --to ./packages',
    'icepkg download bash --with-dependencies --for-empty-root --to ./stick',
  ];
  static override strict = false;
  static override args = {
    package: Args.string({ required: true, description: 'package, or name with a range' }),
  };
  static override flags = {
    ...rootFlags,
    to: Flags.string({ default: '.', helpValue: 'DIR', summary: 'folder to put them in' }),
    'with-dependencies': Flags.boolean({ summary: 'what they need, too, as far as the root lacks it' }),
    'for-empty-root': Flags.boolean({
      dependsOn: ['with-dependencies'],
      summary: 'as if nothing were installed in the root',
    }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Download);
    const context = await this.openRoot(flags);
    const { download } = await import('#engine/queries/download');
    const empty = flags['for-empty-root'];
    const files = await download(context, argv.map(String), {
      folder: flags.to,
      dependencies: flags['with-dependencies'] ? (empty ? 'everything' : 'missing') : undefined,
    });
    for (const file of files) this.print(file);
    return { files };
  }
}

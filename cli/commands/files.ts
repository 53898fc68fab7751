import { Args } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';

export default class Files extends BaseCommand {
  static override summary = 'List the files of an installed package or an .icepkg file';
  static override examples = ['icepkg files busybox', 'icepkg files ./hello-1.0.0-r0.x86_64.icepkg --json'];
  static override args = { package: Args.string({ required: true, description: 'package or .icepkg file' }) };
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Files);
    const { files, packagedFiles } = await import('#engine/queries/files');
    const result = args.package.endsWith('.icepkg')
      ? packagedFiles(args.package)
      : files((await this.openRoot(flags)).root, args.package);
    for (const file of result) this.print(`/${file.path}`);
    return { files: result };
  }
}

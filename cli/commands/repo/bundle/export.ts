import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { filterFromFlags, mirrorFlags } from '#cli/mirror-flags';
import { countText, sizeText } from '#cli/size';

export default class RepoBundleExport extends BaseCommand {
  static override summary = 'Put a repository into one file, to carry it where no network leads';
  static override description = `Writes a tar with what the channels serve now, and with --snapshots with what they served before. With --list it leaves out what that file names, and adds to it what
was sent: keep one list for each receiver, and every bundle holds only what is new.

The bundle is safe to carry by anybody: icepkg repo bundle import verifies it like any mirror.`;
  static override examples = [
    'icepkg repo bundle export ./repo full.tar',
    'icepkg repo bundle export ./repo week-47.tar --list plant-3.list --arch aarch64',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of a repository or mirror' }),
    file: Args.string({ required: true, description: 'file to write' }),
  };
  static override flags = {
    ...mirrorFlags,
    list: Flags.string({ helpValue: 'FILE', summary: 'what the receiver has; made where it is not there' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoBundleExport);
    const { exportBundle } = await import('#repo-server/bundle');
    const exported = await exportBundle(args.repository, args.file, {
      ...filterFromFlags(flags),
      ...(flags.list === undefined ? {} : { list: flags.list }),
    });
    this.print(
      `${exported.file}: ${countText(exported.files, 'file')}, ${sizeText(exported.bytes)}; ${exported.left} were sent before`,
    );
    return exported;
  }
}

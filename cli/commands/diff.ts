import { BaseCommand } from '#cli/base-command';
import { Args, Flags } from '#cli/oclif';
import { sizeText } from '#cli/size';

/** `icepkg diff`: what differs between two package files. */
export default class Diff extends BaseCommand {
  static override summary = 'Show what differs between two package files';
  static override description = `Compares files with their sizes, modes and owners, what the packages need and provide, users, services and
scripts, and the symbols that libraries export. A library that keeps its SONAME but loses symbols breaks the programs that
use them, and is shown so.

Versions and build times are no difference. The exit status is 0 all the same; with --exit-code it is 1 where the packages
differ, as in git diff.`;
  static override examples = [
    'icepkg diff zlib-1.2.13-r0.x86_64.icepkg zlib-1.3.1-r0.x86_64.icepkg',
    'icepkg diff old/musl.icepkg new/musl.icepkg --json',
  ];
  static override args = {
    old: Args.string({ required: true, description: 'package file before' }),
    new: Args.string({ required: true, description: 'package file after' }),
  };
  static override flags = {
    'exit-code': Flags.boolean({ summary: 'exit with 1 where the packages differ' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Diff);
    const { diffPackages, isSame } = await import('#pkgbuild/compare/diff');
    const { diffText } = await import('#pkgbuild/compare/diff-text');
    const diff = diffPackages(args.old, args.new);
    const same = isSame(diff);
    for (const line of diffText(diff, sizeText)) this.print(line);
    if (same) this.print('no difference');
    if (flags['exit-code'] && !same) process.exitCode = 1;
    return { same, ...diff };
  }
}

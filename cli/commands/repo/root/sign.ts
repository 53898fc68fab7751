import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { standingText } from '#cli/root-change-flags';

export default class RepoRootSign extends BaseCommand {
  static override summary = 'Sign a drafted root';
  static override description = `Adds a signature to the file, which may be on a machine that has never seen the repository. Look at the roles that it
shows before you hand the file on: whoever is named there can sign from then on.`;
  static override examples = [
    'icepkg repo root sign next.json --key root-a.key',
    'icepkg repo root sign next.json --key root-a.key --previous root.json',
  ];
  static override args = {
    file: Args.string({ required: true, description: 'the draft, which is changed' }),
  };
  static override flags = {
    key: Flags.string({ multiple: true, required: true, helpValue: 'FILE', summary: 'private root key' }),
    previous: Flags.string({
      helpValue: 'FILE',
      summary: 'the root before it, to see whether its keys signed enough',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoRootSign);
    const { readRootFile, signRoot, standingOf } = await import('#repo-server/root-change');
    const { readKeyFile } = await import('#repo-server/key-files');
    const { writeDurably } = await import('#repo-server/layout');
    const { parseMetadata } = await import('#schema/tuf/metadata');
    const before =
      flags.previous === undefined
        ? undefined
        : parseMetadata(readRootFile(flags.previous), 'root', flags.previous).signed;
    const signed = signRoot(readRootFile(args.file), flags.key.map(readKeyFile), before);
    writeDurably(args.file, signed);
    const standing = standingOf(parseMetadata(signed, 'root', args.file), before);
    this.print(`${args.file}: ${standingText(standing)}`);
    return { file: args.file, ...standing };
  }
}

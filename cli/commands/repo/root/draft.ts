import { readFileSync } from 'node:fs';
import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { roleFlags, rolesFromFlags } from '#cli/role-flags';
import { rootChangeFlags, rootChangeFromFlags, standingText } from '#cli/root-change-flags';

export default class RepoRootDraft extends BaseCommand {
  static override summary = 'Write the next root of a repository, or a first one, for others to sign';
  static override description = `With --repository it is the next root of that repository: as the one before, with what the flags change. Without,
it is the first root of a repository to be made, and the flags of icepkg repo init say who signs.

The file goes from one holder of a root key to the next, each of whom runs icepkg repo root sign. It holds no secret.
Then icepkg repo root publish takes it, or icepkg repo init --root.`;
  static override examples = [
    'icepkg repo root draft next.json --repository ./repo --replace lost.pub=new.pub',
    'icepkg repo root draft next.json --repository ./repo',
    'icepkg repo root draft first.json --root-key a.pub --root-key b.pub --root-threshold 2 --key online.pub',
  ];
  static override args = { file: Args.string({ required: true, description: 'file to write' }) };
  static override flags = {
    repository: Flags.string({ helpValue: 'DIR', summary: 'whose next root it is' }),
    ...rootChangeFlags,
    ...roleFlags,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoRootDraft);
    const { currentRoot, draftFirstRoot, draftNextRoot, standingOf } =
      await import('#repo-server/root-change');
    const { parseMetadata } = await import('#schema/tuf/metadata');
    const { writeDurably } = await import('#repo-server/layout');
    const before = flags.repository === undefined ? undefined : currentRoot(flags.repository).signed;
    const bytes =
      flags.repository === undefined || before === undefined
        ? draftFirstRoot((await rolesFromFlags(flags)).roles)
        : draftNextRoot(flags.repository, await rootChangeFromFlags(flags, before));
    writeDurably(args.file, bytes);
    const standing = standingOf(parseMetadata(readFileSync(args.file), 'root', args.file), before);
    this.print(`${args.file}: ${standingText(standing)}`);
    return { file: args.file, ...standing };
  }
}

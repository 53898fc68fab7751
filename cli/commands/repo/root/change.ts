import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { waitFlag, waiting } from '#cli/repo-flags';
import { rootChangeFlags, rootChangeFromFlags, standingText } from '#cli/root-change-flags';

export default class RepoRootChange extends BaseCommand {
  static override summary = 'Replace, revoke or add keys, or renew the root, in one step';
  static override description = `Drafts the next root, signs it with the root keys given and publishes it: for whoever has enough of them at hand.
Otherwise use icepkg repo root draft, sign and publish. Without a change it renews the lifetime of the root.

Keys are named by a file (NAME.pub or NAME.key) or by the beginning of their id, as icepkg repo root show prints it.`;
  static override examples = [
    'icepkg repo root change ./repo --replace stolen.pub=new.pub --key root-a.key --key root-b.key',
    'icepkg repo root change ./repo --revoke 8c1f20aa --key root-a.key --key root-b.key',
    'icepkg repo root change ./repo --add root=c.pub --threshold root=2 --key root-a.key --key root-c.key',
    'icepkg repo root change ./repo --key root-a.key --key root-b.key',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = {
    ...rootChangeFlags,
    key: Flags.string({
      multiple: true,
      required: true,
      helpValue: 'FILE',
      summary: 'private root key, of the old root or of the new one',
    }),
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoRootChange);
    const { currentRoot, draftNextRoot, publishRoot, signRoot } = await import('#repo-server/root-change');
    const { readKeyFile } = await import('#repo-server/key-files');
    const before = currentRoot(args.repository).signed;
    const draft = draftNextRoot(args.repository, await rootChangeFromFlags(flags, before));
    const signed = signRoot(draft, flags.key.map(readKeyFile), before);
    const standing = await publishRoot(
      args.repository,
      signed,
      waiting(flags.wait, (text) => this.remark(text)),
    );
    this.print(`${standingText(standing)}\npublish each channel now`);
    return standing;
  }
}

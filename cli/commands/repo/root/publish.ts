import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { waitFlag, waiting } from '#cli/repo-flags';

export default class RepoRootPublish extends BaseCommand {
  static override summary = 'Publish a root that was signed';
  static override description = `Checks that it is the next root and that enough of the old and of the new root keys signed it, and writes it to every
channel. Clients follow on their own. Run icepkg repo publish for each channel afterwards, so that the index is signed
by its new keys.`;
  static override examples = ['icepkg repo root publish ./repo next.json'];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
    file: Args.string({ required: true, description: 'the signed root' }),
  };
  static override flags = { wait: waitFlag };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoRootPublish);
    const { publishRoot, readRootFile } = await import('#repo-server/root-change');
    const standing = await publishRoot(
      args.repository,
      readRootFile(args.file),
      waiting(flags.wait, (text) => this.remark(text)),
    );
    this.print(
      `root ${standing.version} is published, good until ${standing.expires}; publish each channel now`,
    );
    return standing;
  }
}

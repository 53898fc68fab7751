import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { countText, sizeText } from '#cli/size';
import { IcepkgError } from '#schema/error';

export default class RepoVerify extends BaseCommand {
  static override summary = 'Check every signature and every file of a repository';
  static override description = `Refreshes each channel as a client does that knows the first root only, and computes the digest of every file that
a channel or a kept snapshot names. Exits 16 and lists all problems where there are any. Works on mirrors too.`;
  static override examples = ['icepkg repo verify ./repo'];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };

  async run(): Promise<unknown> {
    const { args } = await this.parse(RepoVerify);
    const { verifyRepository } = await import('#repo-server/verify');
    const verified = await verifyRepository(args.repository);
    const { channels, snapshots, files, bytes, problems } = verified;
    for (const problem of problems) this.print(`problem: ${problem}`);
    if (problems.length > 0) {
      throw new IcepkgError('verify-failed', `${args.repository}: ${countText(problems.length, 'problem')}`, {
        hint: 'Restore what is damaged or missing from a mirror or a backup',
        data: { ...verified },
      });
    }
    this.print(
      `${countText(channels, 'channel')}, ${countText(snapshots, 'snapshot')}, ${countText(files, 'file')} (${sizeText(bytes)}): all well`,
    );
    return verified;
  }
}

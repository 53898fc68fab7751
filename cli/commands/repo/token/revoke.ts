import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class RepoTokenRevoke extends BaseCommand {
  static override summary = 'Make a token count no more';
  static override description = 'It is refused from the next request on.';
  static override examples = [
    'icepkg repo token revoke ./repo builder',
    'icepkg repo token revoke ./repo 1f3a90bc',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
    token: Args.string({ required: true, description: 'its id, or its name where it is the only one' }),
  };

  async run(): Promise<unknown> {
    const { args } = await this.parse(RepoTokenRevoke);
    const { revokeToken } = await import('#repo-server/tokens');
    const token = await revokeToken(args.repository, args.token);
    this.print(`the token ${args.token} counts no more`);
    return { token, revoked: true };
  }
}

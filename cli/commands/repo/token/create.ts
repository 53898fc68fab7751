import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class RepoTokenCreate extends BaseCommand {
  static override summary = 'Make a token for the upload API of a repository';
  static override description = `Prints the token once; only its digest is kept. It allows what its scopes say: upload:CHANNEL takes packages in,
publish:CHANNEL publishes them with the keys of the server; * stands for every channel.`;
  static override examples = [
    'icepkg repo token create ./repo --name builder --scope upload:beta',
    'icepkg repo token create ./repo --name release --scope "upload:*" --scope publish:beta --days 30',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = {
    name: Flags.string({ required: true, helpValue: 'TEXT', summary: 'whose it is, for you' }),
    scope: Flags.string({ multiple: true, required: true, helpValue: 'SCOPE', summary: 'what it allows' }),
    days: Flags.integer({ min: 1, default: 90, helpValue: 'N', summary: 'how long it is good for' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoTokenCreate);
    const { createToken } = await import('#repo-server/tokens');
    const made = await createToken(args.repository, {
      name: flags.name,
      scopes: flags.scope,
      days: flags.days,
    });
    this.print(made.token);
    return made;
  }
}

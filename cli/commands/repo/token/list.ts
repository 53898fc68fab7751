import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { tableText } from '#cli/table';

export default class RepoTokenList extends BaseCommand {
  static override summary = 'List the tokens of a repository';
  static override description = 'The tokens themselves are kept nowhere.';
  static override examples = ['icepkg repo token list ./repo'];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };

  async run(): Promise<unknown> {
    const { args } = await this.parse(RepoTokenList);
    const { listTokens } = await import('#repo-server/tokens');
    const tokens = listTokens(args.repository);
    if (tokens.length > 0)
      this.print(
        tableText([
          ['TOKEN', 'NAME', 'SCOPES', 'EXPIRES', 'REVOKED'],
          ...tokens.map((of) => [of.id, of.name, of.scopes.join(' '), of.expires ?? '', of.revoked ?? '']),
        ]),
      );
    return { tokens };
  }
}

import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class RepoWebhookRemove extends BaseCommand {
  static override summary = 'Tell an address no more';
  static override description = 'What it was not told yet, it never is.';
  static override examples = ['icepkg repo webhook remove ./repo 1a2b3c4d'];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
    id: Args.string({ required: true, description: 'which, as icepkg repo webhook list shows it' }),
  };

  async run(): Promise<unknown> {
    const { args } = await this.parse(RepoWebhookRemove);
    const { removeWebhook } = await import('#repo-server/webhooks/settings');
    await removeWebhook(args.repository, args.id);
    this.print(`webhook ${args.id} is removed`);
    return { removed: args.id };
  }
}

import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { tableText } from '#cli/table';

export default class RepoWebhookList extends BaseCommand {
  static override summary = 'List the webhooks of a repository';
  static override description = 'WAITING is what each was not told yet.';
  static override examples = ['icepkg repo webhook list ./repo'];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };

  async run(): Promise<unknown> {
    const { args } = await this.parse(RepoWebhookList);
    const { readWebhooks } = await import('#repo-server/webhooks/settings');
    const { waitingFor } = await import('#repo-server/webhooks/outbox');
    const webhooks = readWebhooks(args.repository).map(({ id, url, secretFile, events }) => {
      const waiting = waitingFor(args.repository, { id }).length;
      return { id, url, secretFile, events, waiting };
    });
    if (webhooks.length > 0)
      this.print(
        tableText([
          ['WEBHOOK', 'EVENTS', 'WAITING', 'ADDRESS'],
          ...webhooks.map((of) => [of.id, of.events.join(' '), String(of.waiting), new URL(of.url).origin]),
        ]),
      );
    return { webhooks };
  }
}

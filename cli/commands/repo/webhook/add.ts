import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class RepoWebhookAdd extends BaseCommand {
  static override summary = 'Tell an address of what happens to a repository';
  static override description = `icepkg repo serve posts a JSON document for each event, signed with the secret by HMAC-SHA256, and tries again for a day
where that fails. Publishing waits for none of it. The secret is made where its file is not there; give it to the
receiver. docs/repositories.md tells how to check a signature.`;
  static override examples = [
    'icepkg repo webhook add ./repo https://ci.example.org/packages --secret webhook.secret',
    'icepkg repo webhook add ./repo https://ci.example.org/packages --secret webhook.secret --event publish',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
    url: Args.string({ required: true, description: 'address to post to' }),
  };
  static override flags = {
    secret: Flags.string({ required: true, helpValue: 'FILE', summary: 'what signatures are made with' }),
    event: Flags.string({
      multiple: true,
      options: ['publish', 'promote', 'rollback', 'upload'],
      helpValue: 'EVENT',
      summary: 'tell of these only: publish, promote, rollback, upload',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoWebhookAdd);
    const { addWebhook, EVENTS } = await import('#repo-server/webhooks/settings');
    const wanted = EVENTS.filter((name) => flags.event?.includes(name) ?? true);
    const added = await addWebhook(args.repository, {
      url: args.url,
      secretFile: flags.secret,
      events: wanted,
    });
    this.print(`webhook ${added.id}: ${added.events.join(', ')}, signed with ${flags.secret}`);
    return added;
  }
}

import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { countText } from '#cli/size';

export default class RepoWebhookDeliver extends BaseCommand {
  static override summary = 'Tell webhooks now what they were not told yet';
  static override description = `For repositories that another server serves, after publishing or every few minutes; icepkg repo serve does it by itself.
Exits 7 where a receiver failed; what is left is tried again with the next run.`;
  static override examples = ['icepkg repo webhook deliver ./repo'];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };

  async run(): Promise<unknown> {
    const { args } = await this.parse(RepoWebhookDeliver);
    const { IcepkgError } = await import('#schema/error');
    const { deliverDue } = await import('#repo-server/webhooks/deliver');
    const counts = { delivered: 0, failed: 0, 'given-up': 0, lost: 0 };
    await deliverDue(args.repository, {
      atOnce: true,
      signal: this.interruptible(),
      onOutcome: (outcome, count) => {
        counts[outcome] += count;
      },
      onProblem: (problem) => this.remark(problem),
    });
    this.print(`${countText(counts.delivered, 'event')} delivered`);
    if (counts.failed + counts['given-up'] === 0) return counts;
    throw new IcepkgError('network-failed', 'not every webhook could be told', {
      hint: 'Run it again later; icepkg repo webhook list shows what waits',
      data: { counts },
    });
  }
}

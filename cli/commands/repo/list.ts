import { BaseCommand, rootFlags } from '#cli/base-command';
import { tableText } from '#cli/table';
import type { AttachedRepository } from '#engine/queries/repositories';

export default class RepoList extends BaseCommand {
  static override summary = 'List the repositories of a root';
  static override description =
    'Shows mirrors, how far each repository is trusted, when it was last refreshed and until when that is good. Asks\n' +
    'nobody; icepkg doctor asks the mirrors.';
  static override examples = ['icepkg repo list', 'icepkg repo list --root ./device --json'];
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(RepoList);
    const { root, now } = await this.openRoot(flags);
    const { attachedRepositories } = await import('#engine/queries/repositories');
    const repositories = attachedRepositories(root, now());
    if (repositories.length > 0)
      this.print(
        tableText([
          ['NAME', 'CHANNEL', 'TRUST', 'REFRESHED', 'GOOD UNTIL', 'MIRRORS'],
          ...repositories.map(row),
        ]),
      );
    else if (!flags.quiet)
      this.remark(this.hintText('no repository is attached; attach one: icepkg repo attach'));
    return { repositories };
  }
}

function row(one: AttachedRepository): readonly string[] {
  const remarks = [one.enabled ? '' : 'disabled', one.pinnedOnly ? 'pinned packages only' : ''];
  const name = [one.name, ...remarks.filter((text) => text !== '').map((text) => `(${text})`)].join(' ');
  const times = [one.refreshed ?? 'never', one.expires ?? ''];
  const channel = one.snapshot === undefined ? one.channel : `${one.channel}@${one.snapshot}`;
  return [name, channel, one.trust, ...times, one.mirrors.join(' ')];
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { diffText, keyFlag, messageFlag, waitFlag, waiting } from '#cli/repo-flags';
import { countText } from '#cli/size';

export default class RepoPromote extends BaseCommand {
  static override summary = 'Let a channel serve what another one serves';
  static override description = `Points the channel TO at a snapshot: FROM is its number, or the channel that serves it. Nothing is copied or made
anew; what was added to FROM and never published there is not promoted, and counted. Refused where a package would lose
what it depends on, and where TO has changes that were never published.

With --dry-run it tells what would change and which dependencies would break, and takes no key.`;
  static override examples = [
    'icepkg repo promote ./repo beta stable --dry-run',
    'icepkg repo promote ./repo beta stable --key packager.key --message "release 7"',
    'icepkg repo promote ./repo 12 stable --key packager.key',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
    from: Args.string({ required: true, description: 'channel, or number of a snapshot' }),
    to: Args.string({ required: true, description: 'channel that is to serve it' }),
  };
  static override flags = {
    key: keyFlag,
    message: messageFlag,
    'dry-run': Flags.boolean({ char: 'n', summary: 'tell what would change and change nothing' }),
    'allow-broken': Flags.boolean({ summary: 'go on where dependencies would break' }),
    'discard-staged': Flags.boolean({ summary: 'give up what was added to TO and never published' }),
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoPromote);
    const { promote } = await import('#repo-server/promote');
    const { readKeyFile } = await import('#repo-server/key-files');
    const moved = await promote(args.repository, {
      from: args.from,
      channel: args.to,
      keys: (flags.key ?? []).map(readKeyFile),
      dryRun: flags['dry-run'],
      allowBroken: flags['allow-broken'],
      discardStaged: flags['discard-staged'],
      ...(flags.message === undefined ? {} : { message: flags.message }),
      ...waiting(flags.wait, (text) => this.remark(text)),
    });
    if (flags['dry-run']) {
      this.print(diffText(moved.diff));
      for (const of of moved.broken)
        this.print(`would break: ${of.package}-${of.version} (${of.arch}) needs ${of.dependency}`);
      if (moved.broken.length === 0) this.print('every dependency that was met stays met');
    } else if (moved.changed)
      this.print(`${moved.channel} serves ${moved.from}, good until ${moved.expires}`);
    else this.print(`${moved.channel} serves ${moved.from} already`);
    if (moved.unpublished > 0)
      this.remark(
        `${moved.from} has ${countText(moved.unpublished, 'package')} to add or remove that it never published: publish it first with \
icepkg repo publish ${args.repository} --channel ${moved.from}, then promote again`,
      );
    return moved;
  }
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { lockFlag, openStoreOf, waitFlag, waiting } from '#cli/repo-flags';
import { countText, sizeText } from '#cli/size';
import type { Removal } from '#repo-server/condemn';

export default class RepoGc extends BaseCommand {
  static override summary = 'Give up old snapshots and remove files that nothing names';
  static override description = `Works in two steps. What no channel, no kept snapshot and no staged package names is condemned; what was
condemned by an earlier run, at least --grace hours ago, and is still named by nothing, is removed. So clients that
fetched the index before still find what it names. Run it daily.

Kept are the snapshots that are served, and of each channel the newest 10 and all of the last 30 days, unless
repository.json (member retention) or the flags say otherwise.

With --to the object store that the repository is published to is collected after the folder, in the same two steps; it
must serve what the folder serves. Credentials come from the environment, as for icepkg repo publish.`;
  static override examples = [
    'icepkg repo gc ./repo --dry-run',
    'icepkg repo gc ./repo',
    'icepkg repo gc ./repo --keep 3 --keep-days 7 --grace 48',
    'icepkg repo gc ./repo --to s3://packages/main',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = {
    keep: Flags.integer({ min: 0, helpValue: 'N', summary: 'newest snapshots of each channel to keep' }),
    'keep-days': Flags.integer({ min: 0, helpValue: 'N', summary: 'keep all snapshots of so many days' }),
    grace: Flags.integer({
      min: 0,
      default: 24,
      helpValue: 'HOURS',
      summary: 'how long a file stays that nothing names',
    }),
    'dry-run': Flags.boolean({ char: 'n', summary: 'tell what would go and change nothing' }),
    verbose: Flags.boolean({ char: 'v', summary: 'name each file' }),
    to: Flags.string({ helpValue: 's3://BUCKET/PREFIX', summary: 'then collect this object store' }),
    lock: lockFlag,
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoGc);
    const { collectGarbage } = await import('#repo-server/gc');
    const store = flags.to === undefined ? undefined : await openStoreOf(flags.to, flags.lock);
    const days = flags['keep-days'];
    const ruled = flags.keep !== undefined || days !== undefined;
    const options = {
      graceHours: flags.grace,
      dryRun: flags['dry-run'],
      ...(ruled
        ? {
            retention: {
              ...(flags.keep === undefined ? {} : { keep: flags.keep }),
              ...(days === undefined ? {} : { days }),
            },
          }
        : {}),
      ...waiting(flags.wait, (text) => this.remark(text)),
    };
    const collected = await collectGarbage(args.repository, options);
    if (collected.snapshots.length > 0) this.print(`snapshots given up: ${collected.snapshots.join(' ')}`);
    this.#tell(collected, flags);
    if (store === undefined) return collected;
    const { collectStore } = await import('#repo-server/object-store/collect-store');
    const inStore = await collectStore(args.repository, store, {
      ...options,
      ...(flags.lock === undefined ? {} : { lockDatabase: flags.lock }),
    });
    this.print(`in ${store.addressOf('')}:`);
    this.#tell(inStore, flags);
    return { ...collected, store: inStore };
  }

  #tell(
    { condemned, waiting: later, removed, removedBytes }: Removal,
    flags: { readonly 'dry-run': boolean; readonly verbose: boolean },
  ): void {
    const future = flags['dry-run'] ? 'would be ' : '';
    if (flags.verbose) {
      for (const path of removed) this.print(`${future}removed ${path}`);
      for (const path of condemned) this.print(`${future}condemned ${path}`);
      for (const path of later) this.print(`waiting ${path}`);
    }
    this.print(
      `${countText(removed.length, 'file')} ${future}removed (${sizeText(removedBytes)}), ` +
        `${condemned.length} ${future}condemned now, ${later.length} waiting`,
    );
  }
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { channelText, filterFromFlags, limitRateFlag, mirrorFlags, rateFromFlag } from '#cli/mirror-flags';
import { waitFlag, waiting } from '#cli/repo-flags';
import { countText, sizeText } from '#cli/size';

export default class RepoMirror extends BaseCommand {
  static override summary = 'Copy a repository, or bring a copy up to date';
  static override description = `Refreshes as a client does, verifies every file, and lets clients of the copy see a new state only once it is whole.
What was interrupted goes on where it was. Run it daily; what the copy needs no more goes with icepkg repo gc.

The filters must be given each time. Where one is widened, what is missing comes with the next run. A copy without some
packages still lists them: clients take them from another mirror.`;
  static override examples = [
    'icepkg repo mirror https://packages.example.org ./mirror --trust root.json',
    'icepkg repo mirror https://packages.example.org ./mirror --arch aarch64 --channel stable --channel beta',
    'icepkg repo mirror https://packages.example.org ./mirror --limit-rate 2M',
    'icepkg repo mirror ./repo ./small --trust root.json --package "busybox*" --closure',
  ];
  static override args = {
    from: Args.string({ required: true, description: 'address or folder of the repository' }),
    to: Args.string({ required: true, description: 'folder of the copy' }),
  };
  static override flags = {
    trust: Flags.string({ helpValue: 'FILE', summary: 'trusted root, which the first run needs' }),
    name: Flags.string({ default: 'main', helpValue: 'NAME', summary: 'name of the copy' }),
    ...mirrorFlags,
    parallel: Flags.integer({ min: 1, max: 32, default: 4, helpValue: 'N', summary: 'files at a time' }),
    'limit-rate': limitRateFlag,
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoMirror);
    const { mirrorRepository } = await import('#repo-server/mirror');
    const { readRootFile } = await import('#repo-server/root-change');
    const mirrored = await mirrorRepository(args.to, {
      settings: { format: 1, from: args.from, ...filterFromFlags(flags) },
      name: flags.name,
      parallel: flags.parallel,
      signal: this.interruptible(),
      ...rateFromFlag(flags['limit-rate']),
      ...(flags.trust === undefined ? {} : { trustedRoot: readRootFile(flags.trust) }),
      ...waiting(flags.wait, (text) => this.remark(text)),
    });
    for (const one of mirrored.channels) {
      this.print(channelText(one));
      for (const problem of one.problems) this.remark(problem);
    }
    this.print(`fetched ${countText(mirrored.fetched, 'file')}, ${sizeText(mirrored.bytes)}`);
    return mirrored;
  }
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { roleFlags, rolesFromFlags } from '#cli/role-flags';

export default class RepoInit extends BaseCommand {
  static override summary = 'Make a repository';
  static override description = `Creates the folder, its configuration and the first trusted root, which says who may sign what. With --key
alone that key signs for every role. Better is a key for each role: the one for root kept offline, the one for
timestamp where publishing runs.

Where the root keys are with several people, icepkg repo root draft and sign make the first root, and --root takes it.

Keys of other roles than root may be public ones (NAME.pub). Clients need the root that is printed, by a trusted way.`;
  static override examples = [
    'icepkg repo init ./repo --key packager.key',
    'icepkg repo init ./repo --name main --root-key root-1.key --root-key root-2.key --root-threshold 2 --targets-key targets.pub --snapshot-key targets.pub --timestamp-key timestamp.pub',
  ];
  static override args = { repository: Args.string({ required: true, description: 'folder to make' }) };
  static override flags = {
    name: Flags.string({ default: 'main', helpValue: 'NAME', summary: 'name of the repository' }),
    ...roleFlags,
    root: Flags.string({
      helpValue: 'FILE',
      summary: 'first root, signed by those who hold its keys, instead of the keys',
    }),
    'root-days': Flags.integer({ min: 1, helpValue: 'N', summary: 'days that a root is good for (730)' }),
    'targets-days': Flags.integer({
      min: 1,
      helpValue: 'N',
      summary: 'days that an index is good for (365)',
    }),
    'timestamp-days': Flags.integer({
      min: 1,
      helpValue: 'N',
      summary: 'days that clients go without another publish (30)',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoInit);
    const { initFromRoot, initRepository } = await import('#repo-server/init');
    const targets = flags['targets-days'];
    const options = {
      name: flags.name,
      expiryDays: {
        ...(flags['root-days'] === undefined ? {} : { root: flags['root-days'] }),
        ...(targets === undefined ? {} : { targets, snapshot: targets }),
        ...(flags['timestamp-days'] === undefined ? {} : { timestamp: flags['timestamp-days'] }),
      },
    };
    const made =
      flags.root === undefined
        ? await initRepository(args.repository, { ...options, ...(await rolesFromFlags(flags)) })
        : await initFromRoot(args.repository, { ...options, root: await rootIn(flags.root) });
    this.print(`${made.repository} is a repository now\ntrusted root for clients: ${made.trustedRoot}`);
    return made;
  }
}

async function rootIn(file: string): Promise<Uint8Array> {
  const { readRootFile } = await import('#repo-server/root-change');
  return readRootFile(file);
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { openStoreOf } from '#cli/repo-flags';
import { countText, sizeText } from '#cli/size';
import type { VerifiedStore } from '#repo-server/object-store/verify-store';
import type { VerifiedRepository } from '#repo-server/verify';
import { IcepkgError } from '#schema/error';

export default class RepoVerify extends BaseCommand {
  static override summary = 'Check every signature and every file of a repository';
  static override description = `Refreshes each channel as a client does that knows the first root only, and computes the digest of every file that
a channel or a kept snapshot names. Exits 16 and lists all problems where there are any. Works on mirrors too.

An object store is read in place, with nothing kept here: what its channels serve and the snapshots that they vouch for.
Files that nothing served names are counted, and are no problem: icepkg repo gc --to judges them. Credentials come from
the environment, as for icepkg repo publish.`;
  static override examples = [
    'icepkg repo verify ./repo',
    'icepkg repo verify s3://packages/main --trust trusted-root.json',
  ];
  static override args = {
    repository: Args.string({
      required: true,
      description: 'folder of the repository, or s3://BUCKET/PREFIX',
    }),
  };
  static override flags = {
    trust: Flags.string({
      helpValue: 'FILE',
      summary: 'of an object store: trusted root to begin with, instead of the first one that is there',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoVerify);
    const { repository } = args;
    if (repository.startsWith('s3://')) return this.#verifyStore(repository, flags.trust);
    if (flags.trust !== undefined) {
      throw new IcepkgError('usage', '--trust is for an object store', {
        hint: 'Leave it out: a folder is checked from its first root on',
      });
    }
    const { verifyRepository } = await import('#repo-server/verify');
    const verified = await verifyRepository(repository);
    this.#tell(repository, verified);
    return verified;
  }

  async #verifyStore(address: string, trust: string | undefined): Promise<VerifiedStore> {
    const store = await openStoreOf(address, undefined);
    const { verifyStore } = await import('#repo-server/object-store/verify-store');
    const { readRootFile } = await import('#repo-server/root-change');
    const verified = await verifyStore(
      store,
      trust === undefined ? {} : { trustedRoot: readRootFile(trust) },
    );
    const { orphans, orphanBytes } = verified;
    this.#tell(address, verified);
    if (orphans.length > 0)
      this.print(`${countText(orphans.length, 'file')} (${sizeText(orphanBytes)}) that nothing served names`);
    return verified;
  }

  #tell(repository: string, verified: VerifiedRepository | VerifiedStore): void {
    const { channels, snapshots, files, bytes, problems } = verified;
    for (const problem of problems) this.print(`problem: ${problem}`);
    if (problems.length > 0) {
      throw new IcepkgError('verify-failed', `${repository}: ${countText(problems.length, 'problem')}`, {
        hint: wayOut(repository, verified),
        data: { ...verified },
      });
    }
    this.print(
      `${countText(channels, 'channel')}, ${countText(snapshots, 'snapshot')}, ${countText(files, 'file')} (${sizeText(bytes)}): all well`,
    );
  }
}

/** What a publish mends needs no backup. */
function wayOut(repository: string, verified: VerifiedRepository | VerifiedStore): string {
  const toPublish = 'toPublish' in verified ? verified.toPublish : [];
  const publish = toPublish.map((channel) => `icepkg repo publish ${repository} --channel ${channel}`);
  const restore = 'restore what is damaged or missing from a mirror or a backup';
  // Each of these channels is one problem, as clients see it.
  const ways = [
    ...(publish.length > 0 ? [`sign anew: ${publish.join(', ')}`] : []),
    ...(verified.problems.length > publish.length ? [restore] : []),
  ];
  const text = ways.join('; then ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

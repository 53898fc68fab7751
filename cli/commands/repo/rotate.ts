import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { roleFlags, rolesFromFlags } from '#cli/role-flags';

export default class RepoRotate extends BaseCommand {
  static override summary = 'Change the keys of a repository, or renew its root';
  static override description = `Writes the next version of the root, signed by the old root keys and by the new ones. Give all of them: the
flags say who signs from now on, and --old-key who signed until now. Clients follow on their own.

Publish afterwards, so that the index is signed by its new keys.`;
  static override examples = [
    'icepkg repo rotate ./repo --key new.key --old-key old.key',
    'icepkg repo rotate ./repo --key packager.key',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = {
    ...roleFlags,
    'old-key': Flags.string({
      multiple: true,
      helpValue: 'FILE',
      summary: 'private key of the root role until now',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoRotate);
    const { rotateRoot } = await import('#repo-server/init');
    const { readKeyFile } = await import('#repo-server/key-files');
    const { roles, keys } = await rolesFromFlags(flags);
    const old = (flags['old-key'] ?? []).map(readKeyFile);
    const { version } = await rotateRoot(args.repository, { roles, keys: [...keys, ...old] });
    this.print(`wrote root ${version}; publish now, so that the index is signed by the new keys`);
    return { version };
  }
}

import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { lockFlag, messageFlag, openStoreOf, waitFlag, waiting } from '#cli/repo-flags';
import { countText, sizeText } from '#cli/size';

export default class RepoPublish extends BaseCommand {
  static override summary = 'Sign and publish what was added';
  static override description = `Makes a numbered snapshot of what a channel serves with what was added and taken out since, and lets the channel
serve it. Whoever reads the repository meanwhile, also when this is killed half way, sees the old state whole or the
new state whole. Where another publisher is at work it waits, and publishes on top of what that one published.

To packages that are new in the channel patches are made from the last versions of them that the repository has, where
that saves enough: who upgrades then fetches the patch instead of the package.

With --to the object store has what this folder has once the command is done. Credentials and address come from the
environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION and AWS_ENDPOINT_URL.
Of several publishers one wins, by conditional writes of the store or by the lock of a PostgreSQL database (--lock).

Without a change only the timestamp is renewed, for which its key is enough: run it regularly, well within the
days that a timestamp is good for.`;
  static override examples = [
    'icepkg repo publish ./repo --key packager.key',
    'icepkg repo publish ./repo --key packager.key --to s3://packages/main',
    'icepkg repo publish ./repo --key targets.key --key timestamp.key --message "zlib 1.3.1"',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
  };
  static override flags = {
    key: Flags.string({
      multiple: true,
      required: true,
      helpValue: 'FILE',
      summary: 'private key of the roles targets, snapshot and timestamp',
    }),
    channel: Flags.string({ default: 'stable', helpValue: 'CHANNEL', summary: 'channel to publish' }),
    message: messageFlag,
    patches: Flags.integer({
      min: 0,
      max: 32,
      helpValue: 'N',
      summary: 'make patches from so many versions back (3, or what repository.json says; 0 makes none)',
    }),
    to: Flags.string({
      helpValue: 's3://BUCKET/PREFIX',
      summary:
        'then bring the repository to an object store, content first and the entry of the channel last',
    }),
    lock: lockFlag,
    wait: waitFlag,
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoPublish);
    const { publish } = await import('#repo-server/publish');
    const { readKeyFile } = await import('#repo-server/key-files');
    // What is wrong with the address or the credentials is said before anything is published.
    const store = flags.to === undefined ? undefined : await openStoreOf(flags.to, flags.lock);
    const keys = flags.key.map(readKeyFile);
    if (store !== undefined) {
      const { checkDescent } = await import('#repo-server/object-store/ancestry');
      await checkDescent({ repository: args.repository, store }, flags.channel);
    }
    const published = await publish(args.repository, {
      channel: flags.channel,
      keys,
      ...(flags.message === undefined ? {} : { message: flags.message }),
      ...(flags.patches === undefined ? {} : { patches: flags.patches }),
      ...waiting(flags.wait, (text) => this.remark(text)),
    });
    const { channel, changed, packages, snapshot, expires } = published;
    this.print(
      changed
        ? `published ${countText(packages, 'package')} to ${channel} (snapshot ${snapshot}), good until ${expires}`
        : `${channel} is unchanged${snapshot === undefined ? '' : ` (snapshot ${snapshot})`}, good until ${expires}`,
    );
    const { made, bytes, problems } = published.patches;
    if (made > 0) this.print(`made ${made} ${made === 1 ? 'patch' : 'patches'}, ${sizeText(bytes)}`);
    for (const problem of problems) this.remark(`no patch: ${problem}`);
    if (store === undefined) return published;
    const { passOverTaken } = await import('#repo-server/object-store/pass-over');
    const patience = waiting(flags.wait, (text) => this.remark(text));
    const passed = await passOverTaken(args.repository, store, { keys, ...patience });
    for (const { channel: of, taken, version } of passed)
      this.remark(
        `${of}: numbers up to ${taken} were taken there by a publisher that did not finish; signed anew as ${version}`,
      );
    const { uploadRepository } = await import('#repo-server/object-store/upload-repository');
    const uploaded = await uploadRepository(args.repository, store, {
      ...(flags.lock === undefined ? {} : { lockDatabase: flags.lock }),
      ...patience,
    });
    this.print(`uploaded ${countText(uploaded.files, 'file')}, ${sizeText(uploaded.bytes)}`);
    return { ...published, passed, uploaded };
  }
}

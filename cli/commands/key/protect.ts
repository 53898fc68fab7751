import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class KeyProtect extends BaseCommand {
  static override summary = 'Set, change or take away the passphrase of a private key';
  static override description =
    'Asks on the terminal; where there is none, the first line of the file that ICEPKG_PASSPHRASE_FILE names counts.\n' +
    'Copies of the file that were made before keep what they had.';
  static override examples = ['icepkg key protect root-a.key', 'icepkg key protect timestamp.key --remove'];
  static override args = { key: Args.string({ required: true, description: 'file of the private key' }) };
  static override flags = { remove: Flags.boolean({ summary: 'leave it without a passphrase' }) };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(KeyProtect);
    const { protectKeyFile } = await import('#repo-server/key-files');
    const { keyid } = protectKeyFile(args.key, { sealed: !flags.remove });
    this.print(`${args.key} ${flags.remove ? 'has no passphrase any more' : 'needs its passphrase now'}`);
    return { key: args.key, keyid, sealed: !flags.remove };
  }
}

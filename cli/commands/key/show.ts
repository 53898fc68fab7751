import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

const HOLDS = {
  public: 'public key',
  private: 'private key without a passphrase',
  sealed: 'private key under a passphrase',
} as const;

export default class KeyShow extends BaseCommand {
  static override summary = 'Tell whose key a file holds';
  static override description = 'Prints the key id, by which roots name keys. Asks for no passphrase.';
  static override examples = ['icepkg key show packager.pub', 'icepkg key show root-a.key --json'];
  static override args = { key: Args.string({ required: true, description: 'file of a key' }) };

  async run(): Promise<unknown> {
    const { args } = await this.parse(KeyShow);
    const { describeKeyFile } = await import('#repo-server/key-files');
    const key = describeKeyFile(args.key);
    this.print(`${key.keyid}  ${HOLDS[key.holds]}`);
    return key;
  }
}

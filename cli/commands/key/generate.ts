import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class KeyGenerate extends BaseCommand {
  static override summary = 'Make a key to sign packages and repositories with';
  static override description =
    'Writes NAME.key, which only its owner may read and which must never be in a repository, and NAME.pub, which\n' +
    'everybody may have. An existing key is never overwritten.';
  static override examples = ['icepkg key generate packager', 'icepkg key generate ./keys/timestamp'];
  static override args = {
    name: Args.string({ required: true, description: 'path of the key files, without their endings' }),
  };

  async run(): Promise<unknown> {
    const { args } = await this.parse(KeyGenerate);
    const { generateKeyFiles } = await import('#repo-server/key-files');
    const made = generateKeyFiles(args.name);
    this.print(`private key: ${made.privateKey}\npublic key:  ${made.publicKey}\nkey id:      ${made.keyid}`);
    return made;
  }
}

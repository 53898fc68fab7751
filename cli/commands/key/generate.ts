import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class KeyGenerate extends BaseCommand {
  static override summary = 'Make a key to sign packages and repositories with';
  static override description =
    'Writes NAME.key, which only its owner may read and which must never be in a repository, and NAME.pub, which\n' +
    'everybody may have. An existing key is never overwritten. With --protect the private half is sealed by a passphrase\n' +
    '(scrypt and NaCl secretbox), which is asked for whenever the key signs; keys that lie offline should have one.';
  static override examples = ['icepkg key generate ./keys/timestamp', 'icepkg key generate root-a --protect'];
  static override args = {
    name: Args.string({ required: true, description: 'path of the key files, without their endings' }),
  };

  static override flags = {
    protect: Flags.boolean({ default: false, summary: 'put it under a passphrase' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(KeyGenerate);
    const { generateKeyFiles } = await import('#repo-server/key-files');
    const made = generateKeyFiles(args.name, { sealed: flags.protect });
    this.print(`private key: ${made.privateKey}\npublic key:  ${made.publicKey}\nkey id:      ${made.keyid}`);
    return made;
  }
}

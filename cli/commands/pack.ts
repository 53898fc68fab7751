import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { ARCHES } from '#schema/fields';

/** `icepkg pack`: folders to packages. */
export default class Pack extends BaseCommand {
  static override summary = 'Make packages of folders, without recipes';
  static override description = `The folder holds the content as it shall lie below the root. The manifest file, in YAML, says the rest: name,
version, what the package needs and provides, owners and modes, configuration files, users, services.
docs/packing.md lists its fields.

Everything is owned by root unless the manifest file says otherwise, whoever owns it in the folder, so an ordinary user
gets the same bytes as root. Several folders take one --manifest each, in the same order.`;
  static override examples = [
    'icepkg pack ./tree --manifest hello.yaml --output packages --key packager.key',
    'icepkg pack ./a ./b --manifest a.yaml --manifest b.yaml --output packages --codec xz',
    'icepkg pack ./tree --manifest hello.yaml --arch aarch64 --output packages',
  ];
  static override strict = false;
  static override args = {
    folder: Args.string({ required: true, description: 'folder to pack; several may follow' }),
  };
  static override flags = {
    manifest: Flags.string({
      char: 'm',
      required: true,
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FILE',
      summary: 'manifest file of the folder in the same position',
    }),
    output: Flags.string({
      char: 'o',
      default: '.',
      helpValue: 'DIR',
      summary: 'folder that receives the packages',
    }),
    key: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FILE',
      summary: 'private key to sign the packages with',
    }),
    codec: Flags.option({
      options: ['zstd', 'xz'] as const,
      default: 'zstd' as const,
      helpValue: 'CODEC',
      summary: 'compression of the packages',
    })(),
    level: Flags.integer({
      min: 1,
      helpValue: 'N',
      summary: 'effort of the compression: zstd to 19, xz to 9',
    }),
    arch: Flags.option({
      options: ARCHES,
      helpValue: 'ARCH',
      summary: 'architecture of the packages, whatever the manifest file says',
    })(),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Pack);
    const { packFolders, pairJobs, defaultEpoch } = await import('#pkgbuild/pack');
    const { readKeyFile } = await import('#repo-server/key-files');
    const packages = await packFolders(pairJobs(argv.map(String), flags.manifest), {
      output: flags.output,
      codec: flags.codec,
      keys: (flags.key ?? []).map(readKeyFile),
      epoch: defaultEpoch(process.env),
      ...(flags.level === undefined ? {} : { level: flags.level }),
      ...(flags.arch === undefined ? {} : { arch: flags.arch }),
    });
    for (const { file } of packages) this.print(file);
    return { packages };
  }
}

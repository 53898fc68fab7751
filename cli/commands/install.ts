import { Args, Flags } from '#cli/oclif';
import { changeFlags } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Install extends ChangeCommand {
  static override summary = 'Install packages';
  static override description =
    'Takes names, names with a range, capabilities (cmd:awk, so:libz.so.1), virtual names and local .icepkg files.\n' +
    'What is named is remembered in world; what it needs comes along. Shows the plan and asks first.';
  static override examples = [
    'icepkg install bash',
    'icepkg install "zlib@^1.3" cmd:awk --root ./device --yes',
    'icepkg install ./hello-1.0.0-r0.x86_64.icepkg --dry-run',
    'icepkg install busybox --overwrite "usr/bin/*"',
  ];
  static override strict = false;
  static override args = {
    package: Args.string({ required: true, description: 'package, dependency or .icepkg file' }),
  };
  static override flags = {
    ...changeFlags,
    overwrite: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'GLOB',
      summary: 'take paths that match though no package owns what is there',
    }),
    'no-recommends': Flags.boolean({ summary: 'leave out what packages only recommend' }),
    'allow-untrusted': Flags.boolean({ summary: 'accept local files that no trusted key signed' }),
    refresh: Flags.boolean({ summary: 'ask the repositories for news first' }),
  };

  async run(): Promise<ChangeResult> {
    const { argv, flags } = await this.parse(Install);
    const { installRequest } = await import('#engine/requests');
    const { changeWorld } = await import('#engine/change-world');
    const request = installRequest(argv.map(String));
    return this.change(flags, async (context, setting) =>
      changeWorld(context, {
        ...request,
        ...setting,
        ...(flags['no-recommends'] ? { recommends: false } : {}),
        overwrite: flags.overwrite ?? [],
        allowUntrusted: flags['allow-untrusted'],
        refresh: flags.refresh ? 'force' : 'auto',
      }),
    );
  }
}

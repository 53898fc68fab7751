import { Args } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';
import { countText } from '#cli/size';
import type { VerifyReport } from '#engine/queries/verify';

export default class Verify extends BaseCommand {
  static override summary = 'Compare the files on disk with what was installed';
  static override description =
    'Checks type, mode, owner, size, content and link target. Changed configuration files are shown and are no failure.';
  static override examples = ['icepkg verify', 'icepkg verify busybox --json'];
  static override strict = false;
  static override args = { package: Args.string({ description: 'package to check; all without one' }) };
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Verify);
    const context = await this.openRoot(flags);
    const { verify, verifyError } = await import('#engine/queries/verify');
    const report = verify(context.root, argv.map(String));
    for (const { path, package: owner, problem } of [
      ...report.changedConfig,
      ...report.unread,
      ...report.problems,
    ])
      this.print(`/${path} (${owner}): ${problem}`);
    if (report.problems.length > 0) throw verifyError(report);
    if (!flags.quiet) this.print(summary(report));
    return report;
  }
}

function summary({ packages, files, changedConfig, unread, deviations }: VerifyReport): string {
  const but = [
    changedConfig.length > 0 ? `${countText(changedConfig.length, 'configuration file')} changed` : '',
    unread.length > 0 ? `${unread.length} not looked into` : '',
    deviations > 0 ? `${deviations} without owner or kind, as recorded when they were installed` : '',
  ].filter((text) => text !== '');
  const all = `${countText(packages, 'package')}, ${countText(files, 'file')}: all as installed`;
  return but.length === 0 ? all : `${all}, but ${but.join(', ')}`;
}

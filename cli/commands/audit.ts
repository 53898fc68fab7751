import { BaseCommand, rootFlags } from '#cli/base-command';
import { tableText } from '#cli/table';

export default class Audit extends BaseCommand {
  static override summary = 'Look for what should not be in the root';
  static override description =
    'Reports files that no package owns, setuid and world-writable files, packages from local files and everything that\n' +
    'icepkg verify finds. Errors end with exit status 16; warnings and notes do not.';
  static override examples = ['icepkg audit', 'icepkg audit --root ./device --json'];
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Audit);
    const context = await this.openRoot(flags);
    const { audit, auditError } = await import('#engine/queries/audit');
    const report = audit(context.root);
    if (report.findings.length > 0)
      this.print(tableText(report.findings.map((one) => [one.severity, one.subject, one.message])));
    if (report.findings.some((one) => one.severity === 'error')) throw auditError(report);
    if (report.findings.length === 0) this.remark('nothing to report');
    return report;
  }
}

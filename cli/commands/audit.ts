import type { EngineContext } from '#engine/context';
import type { ProvenanceReport } from '#engine/queries/provenance';
import { BaseCommand, rootFlags } from '#cli/base-command';
import { Flags } from '#cli/oclif';
import { countText } from '#cli/size';
import { tableText } from '#cli/table';

export default class Audit extends BaseCommand {
  static override summary = 'Look for what should not be in the root';
  static override description =
    'Reports files that no package owns, setuid and world-writable files, packages from local files and everything that\n' +
    'icepkg verify finds. Errors end with exit status 16; warnings and notes do not.\n\n' +
    'With --provenance the provenance statement and the bill of materials of every installed package are fetched from its\n' +
    'repository too, and held against what is installed: signature, digests, builder and sources.';
  static override examples = [
    'icepkg audit',
    'icepkg audit --root ./device --json',
    'icepkg audit --provenance',
  ];
  static override flags = {
    ...rootFlags,
    provenance: Flags.boolean({ summary: 'check how every installed package was made' }),
    builder: Flags.string({
      multiple: true,
      dependsOn: ['provenance'],
      helpValue: 'URI',
      summary: 'id of a builder that may have made packages; icepkg itself without',
    }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Audit);
    const context = await this.openRoot(flags);
    const { audit, auditError } = await import('#engine/queries/audit');
    const { findings } = audit(context.root);
    const origins = flags.provenance ? await this.provenance(context, flags.builder) : undefined;
    const report = { findings: [...findings, ...(origins?.findings ?? [])] };
    if (report.findings.length > 0)
      this.print(tableText(report.findings.map((one) => [one.severity, one.subject, one.message])));
    if (report.findings.some((one) => one.severity === 'error')) throw auditError(report);
    if (report.findings.length === 0) this.remark('nothing to report');
    return origins === undefined ? report : { ...report, packages: origins.packages };
  }

  private async provenance(
    context: EngineContext,
    builders: readonly string[] | undefined,
  ): Promise<ProvenanceReport> {
    const { auditProvenance } = await import('#engine/queries/provenance');
    const { BUILDER_ID } = await import('#schema/provenance');
    const origins = await auditProvenance(context, { builders: builders ?? [BUILDER_ID] });
    const known = origins.packages.filter(({ signedBy }) => signedBy.length > 0);
    this.remark(`${countText(known.length, 'package')} of ${origins.packages.length} with signed provenance`);
    return origins;
  }
}

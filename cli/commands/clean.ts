import { Flags } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';
import { countText, sizeText } from '#cli/size';

export default class Clean extends BaseCommand {
  static override summary = 'Delete downloaded packages that are kept for reuse';
  static override description =
    'With --undo, what older transactions replaced is forgotten too: they cannot be rolled back any more.';
  static override examples = ['icepkg clean', 'icepkg clean --undo 5', 'icepkg clean --dry-run'];
  static override flags = {
    ...rootFlags,
    undo: Flags.integer({
      min: 0,
      helpValue: 'N',
      summary: 'keep the undo data of the last N transactions only',
    }),
    'dry-run': Flags.boolean({ char: 'n', summary: 'say what would be deleted and delete nothing' }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Clean);
    const context = await this.openRoot(flags);
    const { clean } = await import('#engine/queries/clean');
    const report = clean(context.root, { dryRun: flags['dry-run'], keepUndo: flags.undo });
    const verb = flags['dry-run'] ? 'would free' : 'freed';
    this.print(`${verb} ${sizeText(report.bytes)} in ${countText(report.files, 'file')}`);
    if (report.transactions.length > 0) this.print(`no longer undoable: ${report.transactions.join(', ')}`);
    return report;
  }
}

import { BaseCommand, rootFlags, transactionArg } from '#cli/base-command';
import { tableText } from '#cli/table';

export default class History extends BaseCommand {
  static override summary = 'Show what was done, when and by whom';
  static override examples = ['icepkg history', 'icepkg history 3', 'icepkg history --json'];
  static override args = {
    transaction: transactionArg({ description: 'show the changes of one transaction' }),
  };
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(History);
    const context = await this.openRoot(flags);
    const { history } = await import('#engine/queries/history');
    const transactions = history(context.root, args.transaction);
    if (args.transaction === undefined) {
      const rows = transactions.map((one) => [
        String(one.number),
        one.time,
        one.user,
        one.undoable ? 'undoable' : '',
        `${one.changes.length}`,
        one.description,
      ]);
      if (rows.length > 0)
        this.print(tableText([['NUMBER', 'TIME', 'USER', 'UNDO', 'CHANGES', 'WHAT'], ...rows]));
      else if (!flags.quiet) this.remark('nothing was done yet');
      return { transactions };
    }
    for (const one of transactions) {
      this.print(`transaction ${one.number}: ${one.description}\n${one.time}, ${one.user}`);
      const rows = one.changes.map((change) => [
        change.action,
        change.name,
        [change.oldVersion, change.newVersion].filter((version) => version !== undefined).join(' -> '),
        change.repository ?? '',
        change.reason,
      ]);
      this.print(tableText(rows));
    }
    return { transactions };
  }
}

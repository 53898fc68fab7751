import { changeFlags, transactionArg } from '#cli/base-command';
import { ChangeCommand, type ChangeResult } from '#cli/change-command';

export default class Rollback extends ChangeCommand {
  static override summary = 'Undo the last transactions, files and database, without a network';
  static override description =
    'With a number, that transaction and all later ones are undone. The rollback is itself in the history and can be undone.';
  static override examples = ['icepkg rollback', 'icepkg rollback 3 --dry-run', 'icepkg rollback 3 --yes'];
  static override args = {
    transaction: transactionArg({ description: 'oldest transaction to undo; the last one without it' }),
  };
  static override flags = changeFlags;

  async run(): Promise<ChangeResult> {
    const { args, flags } = await this.parse(Rollback);
    const { rollback } = await import('#engine/rollback');
    return this.change(flags, async (context, setting) =>
      rollback(context, { ...(args.transaction === undefined ? {} : { to: args.transaction }), ...setting }),
    );
  }
}

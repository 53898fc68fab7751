/** What the commands that change a root by a plan share: show it, ask, run, tell. */
import type { ChangeOutcome } from '#engine/change-world';
import type { EngineContext } from '#engine/context';
import type { Plan } from '#engine/model';
import { IcepkgError } from '#schema/error';
import { BaseCommand, type RootFlagValues } from './base-command.ts';
import { changeJson, planText, type ChangeJson } from './plan-text.ts';

export interface ChangeFlagValues extends RootFlagValues {
  readonly yes: boolean;
  readonly 'dry-run': boolean;
}

export interface ChangeResult {
  readonly changes: readonly ChangeJson[];
  /** Number in the history; null where nothing was changed. */
  readonly transaction: number | null;
  readonly downloadSize: number;
  readonly sizeDifference: number;
  readonly notices: readonly string[];
}

/** What a change is run with; `confirm` shows the plan and asks. */
export interface ChangeSetting {
  readonly dryRun: boolean;
  readonly confirm: (plan: Plan) => Promise<boolean>;
}

export abstract class ChangeCommand extends BaseCommand {
  /** @throws IcepkgError `cancelled` where the operator says no */
  protected async change(
    flags: ChangeFlagValues,
    run: (context: EngineContext, setting: ChangeSetting) => Promise<ChangeOutcome>,
  ): Promise<ChangeResult> {
    const context = await this.openRoot(flags);
    const outcome = await run(context, {
      dryRun: flags['dry-run'],
      confirm: async (plan) => this.agree(plan, flags),
    });
    const { plan, transaction, notices } = outcome;
    if (flags['dry-run'] || plan.changes.length === 0) this.print(planText(plan));
    for (const notice of notices) this.remark(`note: ${notice}`);
    if (transaction !== undefined && !flags.quiet) this.print(`done: transaction ${transaction}`);
    return {
      changes: plan.changes.map(changeJson),
      transaction: transaction ?? null,
      downloadSize: plan.downloadSize,
      sizeDifference: plan.sizeDifference,
      notices,
    };
  }

  private async agree(plan: Plan, flags: ChangeFlagValues): Promise<boolean> {
    if (plan.changes.length === 0) return true;
    if (!flags.quiet || !flags.yes) this.print(planText(plan));
    if (flags.yes) return true;
    const { ask } = await import('./ask.ts');
    if (await ask('Go ahead?')) return true;
    throw new IcepkgError('cancelled', 'nothing was changed, as you wished');
  }
}

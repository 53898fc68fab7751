/** What the commands that change a root by a plan share: show it, ask, run, tell. */
import type { ChangeOutcome, Received } from '#engine/change-world';
import type { EngineContext } from '#engine/context';
import type { Plan } from '#engine/model';
import type { ScriptFailure } from '#engine/declared/scripts';
import { IcepkgError } from '#schema/error';
import { BaseCommand, type RootFlagValues } from './base-command.ts';
import { changeJson, planText, type ChangeJson } from './plan-text.ts';
import { countText, sizeText } from './size.ts';

export interface ChangeFlagValues extends RootFlagValues {
  readonly yes: boolean;
  readonly 'dry-run': boolean;
}

export interface ChangeResult {
  readonly changes: readonly ChangeJson[];
  /** Number in the history; null where nothing was changed. */
  readonly transaction: number | null;
  readonly downloadSize: number;
  /** What came over the network: bytes, and packages that came by patches. */
  readonly receivedBytes: number;
  readonly patchedPackages: number;
  readonly sizeDifference: number;
  readonly notices: readonly string[];
}

/** What a change is run with; `confirm` shows the plan and asks. */
export interface ChangeSetting {
  readonly dryRun: boolean;
  readonly confirm: (plan: Plan) => Promise<boolean>;
}

export abstract class ChangeCommand extends BaseCommand {
  /** @throws IcepkgError `cancelled` where the operator says no, `script-failed` once all is done */
  protected async change(
    flags: ChangeFlagValues,
    run: (context: EngineContext, setting: ChangeSetting) => Promise<ChangeOutcome>,
  ): Promise<ChangeResult> {
    const context = await this.openRoot(flags);
    const outcome = await run(context, {
      dryRun: flags['dry-run'],
      confirm: async (plan) => this.agree(plan, flags, context.signal),
    });
    const { plan, transaction, notices, failedScripts, received } = outcome;
    if (flags['dry-run'] || plan.changes.length === 0) this.print(planText(plan));
    for (const notice of notices) this.remark(`note: ${notice}`);
    if (received !== undefined && received.patched > 0 && !flags.quiet) this.print(receivedText(received));
    if (transaction !== undefined && !flags.quiet) this.print(`done: transaction ${transaction}`);
    const result = {
      changes: plan.changes.map(changeJson),
      transaction: transaction ?? null,
      downloadSize: plan.downloadSize,
      receivedBytes: received?.bytes ?? 0,
      patchedPackages: received?.patched ?? 0,
      sizeDifference: plan.sizeDifference,
      notices,
    };
    if (failedScripts.length > 0) throw scriptError(failedScripts, result);
    return result;
  }

  private async agree(
    plan: Plan,
    flags: ChangeFlagValues,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (plan.changes.length === 0) return true;
    if (!flags.quiet || !flags.yes) this.print(planText(plan));
    if (flags.yes) return true;
    const { ask } = await import('./ask.ts');
    if (await ask('Go ahead?', signal, 'Add --yes to agree, or --dry-run to see the plan only')) return true;
    throw new IcepkgError('cancelled', 'nothing was changed, as you wished');
  }
}

function receivedText({ bytes, packageBytes, patched }: Received): string {
  const saved = `${sizeText(bytes)} instead of ${sizeText(packageBytes)}`;
  return `fetched ${saved}: ${countText(patched, 'package')} by patch`;
}

/** The change itself is done and stays. */
function scriptError(failures: readonly ScriptFailure[], result: ChangeResult): IcepkgError {
  const names = failures.map((one) => `${one.script} of ${one.package}`).join(', ');
  return new IcepkgError('script-failed', `transaction ${result.transaction} is done, but failed: ${names}`, {
    hint: 'See what the scripts wrote above; mend what they wanted, or take the change back: icepkg rollback',
    data: { ...result, failedScripts: failures },
  });
}

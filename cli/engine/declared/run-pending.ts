/** Runs the scripts that a journal holds, and strikes each out once it ran: one that was interrupted runs again. */
import type { EngineContext } from '../context.ts';
import type { Journal } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import { updateJournal } from '../store/writer.ts';
import { runScript } from './run-scripts.ts';
import type { PendingScript, ScriptFailure } from './scripts.ts';

/** Returns those that failed. @param journal with every script that was to run before, too */
export function runPending(
  { root, onStep }: Pick<EngineContext, 'root' | 'onStep'>,
  store: Store,
  journal: Journal,
  when: PendingScript['when'],
): readonly ScriptFailure[] {
  const scripts = journal.scripts ?? [];
  const failures: ScriptFailure[] = [];
  // Those before the files moved have run once it is the turn of those after.
  let left = when === 'before' ? scripts : scripts.filter((one) => one.when === 'after');
  for (const script of scripts.filter((one) => one.when === when)) {
    onStep?.(`script ${script.script} of ${script.package}`);
    const failure = runScript(root, script);
    if (failure !== undefined) failures.push(failure);
    left = left.filter((one) => one !== script);
    updateJournal(store.database, { ...journal, scripts: left });
  }
  return failures;
}

/** Takes the root back to the state before a recorded transaction, offline, as a transaction of its own. */
import { IcepkgError } from '#schema/error';
import { compareVersions, parseVersion } from '#schema/version';
import type { ChangeOutcome } from './change-world.ts';
import { commit, discard, writeError, type CommitRequest } from './commit.ts';
import type { EngineContext } from './context.ts';
import { declaringManifest } from './declared/declaring.ts';
import type { Action, Change, Plan } from './model.ts';
import { openForWriting } from './recover.ts';
import type { PackageState, TransactionDetail, TransactionSummary, UndoRow } from './store/model.ts';
import { nextTransaction, packageState, statesBefore, undoRows } from './store/reader.ts';
import { openStore, type Store } from './store/store.ts';
import { findAreas } from './transaction/areas.ts';
import { usedAreas } from './transaction/layout.ts';
import { recordedChanges } from './transaction/recorded.ts';
import { stageRestore, type PriorState } from './transaction/restore.ts';
import { operatorName } from './transaction/operator.ts';

export interface RollbackRequest {
  /** The oldest transaction to undo; the last one by default. */
  readonly to?: number;
  readonly dryRun: boolean;
  readonly confirm: (plan: Plan) => Promise<boolean> | boolean;
}

/**
 * Undoes transaction `to` and every later one. Configuration files that the operator changed since stay.
 * @throws IcepkgError `not-found` where what the transaction replaced is no longer kept, `file-conflict` where something
 * else is in the way by now
 */
export async function rollback(context: EngineContext, request: RollbackRequest): Promise<ChangeOutcome> {
  const store = request.dryRun ? openStore(context.root, { mode: 'read' }) : openForWriting(context);
  try {
    const target = findTarget(store, request.to);
    const plan = planOf(context, store, target);
    if (request.dryRun || !(await request.confirm(plan)))
      return { plan, transaction: undefined, notices: [], failedScripts: [] };
    return carryOut(context, store, { target, plan });
  } finally {
    store.close();
  }
}

interface Target {
  readonly first: TransactionDetail;
  readonly packages: ReadonlyMap<string, PackageState | undefined>;
  readonly paths: ReadonlyMap<string, PriorState>;
}

function findTarget(store: Store, to: number | undefined): Target {
  const history = store.history();
  const last = history[0];
  if (last === undefined)
    throw new IcepkgError('not-found', 'there is no transaction to roll back', {
      hint: 'Nothing was done in this root yet: icepkg history',
    });
  const undone = history.filter(({ number }) => number >= (to ?? last.number));
  const first = store.transaction(to ?? last.number);
  if (first === undefined) {
    throw new IcepkgError('not-found', `there is no transaction ${to ?? last.number}`, {
      hint: 'See their numbers with: icepkg history',
    });
  }
  const expired = undone.find(({ undoable }) => !undoable);
  if (expired !== undefined) {
    throw new IcepkgError('not-found', `what transaction ${expired.number} replaced is no longer kept`, {
      hint: `${oldestUndoable(history)}; history.keep in etc/icepkg/icepkg.toml says how many are kept`,
    });
  }
  return { first, ...compose(store, undone) };
}

function oldestUndoable(history: readonly TransactionSummary[]): string {
  const oldest = history.findLast(({ undoable }) => undoable);
  return oldest === undefined ? 'None can be undone' : `The oldest that can be undone is ${oldest.number}`;
}

/** Newest first, so that the oldest transaction has the last word on how things were. */
function compose(store: Store, undone: readonly TransactionSummary[]): Omit<Target, 'first'> {
  const packages = new Map<string, PackageState | undefined>();
  const paths = new Map<string, PriorState>();
  for (const { number } of undone) {
    for (const [name, state] of statesBefore(store.database, number)) packages.set(name, state);
    for (const row of undoRows(store.database, number)) {
      paths.set(row.path, { row, transaction: number, written: writtenLast(paths, row) });
    }
  }
  return { packages, paths };
}

/** What the newest of the undone transactions put there is what must still be there. */
function writtenLast(paths: ReadonlyMap<string, PriorState>, row: UndoRow): string | undefined {
  const newer = paths.get(row.path);
  return newer === undefined ? row.written : newer.written;
}

function planOf(context: EngineContext, store: Store, target: Target): Plan {
  const changes: Change[] = [];
  let sizeDifference = 0;
  for (const [name, state] of target.packages) {
    const from = store.installedPackage(name);
    const to = state?.installed;
    sizeDifference += (to?.record.installedSize ?? 0) - (from?.record.installedSize ?? 0);
    if (from?.record.package.sha256 === to?.record.package.sha256) continue;
    changes.push({
      action: actionOf(from?.record.version, to?.record.version),
      name,
      arch: (to ?? from)?.record.arch ?? context.arch,
      oldVersion: from?.record.version,
      newVersion: to?.record.version,
      repository: to?.repository,
      reason: `as before transaction ${target.first.number}`,
      from,
      to: to === undefined ? undefined : { record: to.record, source: { kind: 'installed' } },
    });
  }
  return {
    arch: context.arch,
    changes: changes.sort((a, b) => (a.name < b.name ? -1 : 1)),
    worldBefore: store.world(),
    worldAfter: target.first.worldBefore,
    downloadSize: 0,
    sizeDifference,
  };
}

function actionOf(from: string | undefined, to: string | undefined): Action {
  if (to === undefined) return 'remove';
  if (from === undefined) return 'install';
  const [old, wanted] = [parseVersion(from), parseVersion(to)];
  if (old === undefined || wanted === undefined) return 'reinstall';
  const order = compareVersions(old, wanted);
  return order === 0 ? 'reinstall' : order < 0 ? 'upgrade' : 'downgrade';
}

function carryOut(
  context: EngineContext,
  store: Store,
  { target, plan }: { readonly target: Target; readonly plan: Plan },
): ChangeOutcome {
  const { root } = context;
  const areas = usedAreas(findAreas(root), target.paths.keys());
  const number = nextTransaction(store.database);
  const before = new Map(
    [...target.packages.keys()].map((name) => [name, packageState(store.database, name)]),
  );
  try {
    const { files, notices } = stageRestore({
      root,
      areas,
      paths: target.paths,
      onStep: context.onStep ?? ignore,
    });
    const request: CommitRequest = {
      number,
      time: context.now().toISOString(),
      description: `rollback ${target.first.number}`,
      user: context.operator ?? operatorName(),
      worldBefore: plan.worldBefore,
      worldAfter: plan.worldAfter,
      changes: recordedChanges(plan.changes),
      before,
      after: target.packages,
      areas,
      files,
    };
    const silent = unrunScripts(store, target);
    commit(context, store, request);
    return { plan, transaction: number, notices: [...notices, ...silent], failedScripts: [] };
  } catch (error) {
    if (store.pending() === undefined) discard(root, areas, nextTransaction(store.database));
    throw writeError(root, error);
  }
}

/** Files go back byte by byte; what scripts did besides cannot be taken back by running others. */
function unrunScripts(store: Store, { packages }: Target): readonly string[] {
  const names = [...packages]
    .filter(([name, state]) => hasScripts(store.headerOf(name), name) || hasScripts(state?.header, name))
    .map(([name]) => name);
  return names.length === 0
    ? []
    : [`a rollback runs no scripts; these packages have some: ${names.join(', ')}`];
}

const hasScripts = (header: Uint8Array | undefined, name: string): boolean =>
  declaringManifest(header, name)?.scripts !== undefined;

const ignore = (): void => undefined;

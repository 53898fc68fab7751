/**
 * The commit: everything before it can be thrown away, everything after it can be repeated. See docs/transaction.md.
 */
import { IcepkgError, isErrno } from '#schema/error';
import type { EngineContext } from './context.ts';
import { runPending } from './declared/run-pending.ts';
import type { PendingScript, ScriptFailure } from './declared/scripts.ts';
import type { Journal } from './store/model.ts';
import type { Store } from './store/store.ts';
import { STATE_FILE, usedAreas, type Area } from './transaction/layout.ts';
import { applyJournal } from './transaction/apply.ts';
import { areasAt, clearStage, clearUndo, findAreas, hasStage, openAreas } from './transaction/areas.ts';
import { releaseBallast, reserveBallast } from './transaction/ballast.ts';
import { flushAreas } from './transaction/flush.ts';
import { keepForUndo } from './transaction/undo.ts';
import { translateSqliteError } from './store/open.ts';
import { clearJournal, commitRecord, expireUndo, type CommitRecord } from './store/writer.ts';

/** What moves where; the staged files lie in the areas' stages already. */
export interface FileChanges {
  /** Paths that are staged, with the sha256 of those that an operator may edit. */
  readonly write: ReadonlyMap<string, string | undefined>;
  readonly displace: Journal['displace'];
  /** Contents before the directory that holds them. */
  readonly remove: Journal['remove'];
  readonly directories: Journal['directories'];
}

export type CommitRequest = Omit<CommitRecord, 'undo' | 'journal'> & {
  readonly areas: readonly Area[];
  readonly files: FileChanges;
  /** Run after the commit point. */
  readonly scripts?: readonly PendingScript[];
};

/**
 * Makes the staged files and the new package state the truth, puts the files in place and runs the scripts. Returns
 * those that failed.
 * @throws IcepkgError with nothing changed, or `io-failed` saying that the next command will finish it
 */
export function commit(
  context: EngineContext,
  store: Store,
  request: CommitRequest,
): readonly ScriptFailure[] {
  const journal = reachCommitPoint(context, store, request);
  const failures = finish(context, store, journal);
  expire(context, store, request);
  return failures;
}

/** Up to and including the one durable write. */
function reachCommitPoint(context: EngineContext, store: Store, request: CommitRequest): Journal {
  const { root } = context;
  const onStep = context.onStep ?? (() => undefined);
  const { areas, files, scripts = [] } = request;
  try {
    openAreas(root, areas);
    reserveBallast(root, areas, files.write.keys());
    const undo = keepForUndo({
      root,
      areas,
      transaction: request.number,
      touched: touchedPaths(files),
      onStep,
    });
    const journal: Journal = {
      transaction: request.number,
      description: request.description,
      displace: files.displace,
      remove: files.remove,
      directories: files.directories,
      areas: areas.map((area) => area.mount),
      ...(scripts.length === 0 ? {} : { scripts }),
    };
    onStep('flush');
    if (context.sync) flushAreas(root, areas);
    else store.database.pragma('synchronous = OFF');
    onStep('commit');
    commitRecord(store.database, { ...request, undo, journal });
    onStep('committed');
    return journal;
  } catch (error) {
    if (store.pending() === undefined) discard(root, areas, request.number);
    throw writeError(root, error);
  }
}

/** Every path that a transaction changes, with the sha256 of what is put there where an operator may edit it. */
export function touchedPaths(files: FileChanges): ReadonlyMap<string, string | undefined> {
  const touched = new Map(files.write);
  for (const { path } of [...files.remove, ...files.directories])
    if (!touched.has(path)) touched.set(path, undefined);
  for (const path of files.displace) if (!touched.has(path)) touched.set(path, undefined);
  return touched;
}

/** After the commit point, on the first run and in recovery alike. Returns the scripts that failed. */
export function finish(
  context: Pick<EngineContext, 'root' | 'sync' | 'onStep'>,
  store: Store,
  journal: Journal,
): readonly ScriptFailure[] {
  const { root } = context;
  const onStep = context.onStep ?? (() => undefined);
  const areas = areasAt(root, journal.areas);
  try {
    releaseBallast(root, areas);
    const early = runPending(context, store, journal, 'before');
    applyJournal(root, journal, onStep);
    onStep('settle');
    if (context.sync) flushAreas(root, areas);
    onStep('cleanup');
    clearStage(root, areas);
    const late = runPending(context, store, journal, 'after');
    onStep('clear');
    clearJournal(store.database);
    return [...early, ...late];
  } catch (error) {
    throw new IcepkgError(
      'io-failed',
      `${journal.description}: committed, but not every file is in place yet: ${reason(error)}`,
      {
        hint: 'Mend the file system; the next icepkg command finishes the transaction by itself',
        cause: error,
      },
    );
  }
}

/** Throws away everything that belongs to a transaction that did not reach its commit point. */
export function discard(root: string, areas: readonly Area[], number: number): boolean {
  if (!hasStage(root)) return false;
  clearUndo(root, areas, (transaction) => transaction >= number);
  return clearStage(root, areas);
}

function expire(context: EngineContext, store: Store, request: Pick<CommitRequest, 'number'>): void {
  const last = request.number - context.config.history.keep;
  const paths = expireUndo(store.database, last);
  if (paths === undefined) return;
  const areas = usedAreas(findAreas(context.root), paths);
  clearUndo(context.root, areas, (transaction) => transaction <= last);
}

/** What a failed write before the commit point means to the operator. */
export function writeError(root: string, error: unknown): unknown {
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
    return new IcepkgError('disk-full', `no space left below ${root}; nothing was changed`, {
      hint: 'Free some space (icepkg clean empties the download cache) and try again',
      cause: error,
    });
  }
  if (isErrno(error, 'EFBIG')) {
    return new IcepkgError(
      'io-failed',
      `a file is larger than may be written below ${root}; nothing was changed`,
      {
        hint: 'Raise the limit (ulimit -f), or use a file system that holds larger files',
        cause: error,
      },
    );
  }
  if (isErrno(error, 'EROFS', 'EACCES', 'EPERM')) {
    return new IcepkgError('root-read-only', `cannot write below ${root}: ${error.message}`, {
      hint: 'Remount the file system writable, or run icepkg as the owner of the root',
      cause: error,
    });
  }
  if (isErrno(error, 'EIO')) {
    return new IcepkgError(
      'io-failed',
      `the device below ${root} failed; nothing was changed: ${error.message}`,
      {
        hint: 'Check the device and the kernel log',
        cause: error,
      },
    );
  }
  return translateSqliteError(`${root}/${STATE_FILE}`, error);
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

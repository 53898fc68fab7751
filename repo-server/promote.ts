/** Lets a channel serve a snapshot that is there already: forward from another channel, or back to an earlier one. */
import { IcepkgError } from '#schema/error';
import { withChannel, type ChangeOptions, type OpenChannel } from './change-channel.ts';
import { brokenDependencies, newlyBroken, type BrokenDependency } from './closure.ts';
import { diffIndexes, isEmptyDiff, type IndexDiff } from './index-diff.ts';
import { DEFAULT_CHANNEL } from './layout.ts';
import { stageOf } from './pool.ts';
import { clearStage, sameTargets } from './publish.ts';
import { recordsNamedBy } from './served.ts';
import { signChannel } from './sign-channel.ts';
import { historyOf, resolveIndex, type NamedIndex } from './snapshots.ts';
import { announce } from './webhooks/outbox.ts';

export interface MoveOptions extends ChangeOptions {
  /** Only tell what would change; needs no key. */
  readonly dryRun?: boolean;
  /** Give up what was staged for the channel and never published. */
  readonly discardStaged?: boolean;
}

export interface PromoteOptions extends MoveOptions {
  /** The number of a snapshot, or the channel that serves it. */
  readonly from: string;
  /** Go on where packages would lose what they depend on. */
  readonly allowBroken?: boolean;
}

export interface Moved {
  readonly channel: string;
  readonly from: string;
  /** Number of the snapshot that the channel serves now, or would serve. */
  readonly snapshot: number | undefined;
  readonly previous: number | undefined;
  readonly diff: IndexDiff;
  /** Dependencies that were met in the channel, or of packages that are new to it, and are not met now. */
  readonly broken: readonly BrokenDependency[];
  readonly changed: boolean;
  /** Paths that were written, in order. */
  readonly written: readonly string[];
  readonly expires: string | undefined;
}

export interface Promoted extends Moved {
  /** Packages that were added to the channel FROM, or removed from it, and never published there: they are not promoted. */
  readonly unpublished: number;
}

/**
 * Lets a channel serve what another one serves, or a snapshot.
 * @throws IcepkgError `verify-failed` where dependencies would break, `usage`, `not-found`, `root-locked`, `trust-expired`
 */
export async function promote(repository: string, options: PromoteOptions): Promise<Promoted> {
  return withChannel(repository, options, (open) => {
    const to = resolveIndex(repository, options.from);
    const moved = move(open, { ...options, to, type: 'promote' });
    if (moved.broken.length > 0 && options.dryRun !== true && options.allowBroken !== true)
      throw breaks(moved);
    const { add, remove } = stageOf(open.pool, to.name);
    return { ...moved.carryOut(), unpublished: add.length + remove.length };
  });
}

export interface RollbackOptions extends MoveOptions {
  /** The snapshot to go back to; the one that the channel served before where there is none. */
  readonly to?: number;
}

/** Lets a channel serve a snapshot that it served before. @throws IcepkgError as `promote` does */
export async function rollbackChannel(repository: string, options: RollbackOptions): Promise<Moved> {
  return withChannel(repository, options, (open) => {
    const number = options.to ?? previousOf(open);
    const to = resolveIndex(repository, String(number));
    return move(open, { ...options, to, type: 'rollback' }).carryOut();
  });
}

type Planned = Omit<Moved, 'written' | 'expires'> & { readonly carryOut: () => Moved };

interface Move extends MoveOptions {
  readonly to: NamedIndex;
  readonly type: 'promote' | 'rollback';
}

function move(open: OpenChannel, of: Move): Planned {
  const { repository, channel, served, number, writer } = open;
  const { to, message } = of;
  const target = recordsNamedBy(repository, to.targets);
  const changed =
    open.metadata.targets === undefined || number !== to.number || !sameTargets(to.targets, open.targets);
  const planned = {
    channel,
    from: to.name,
    snapshot: to.number,
    previous: number,
    diff: diffIndexes(served, target),
    broken: newlyBroken(brokenDependencies(served.values()), brokenDependencies(target.values())),
    changed,
  };
  const carryOut = (): Moved => {
    if (of.dryRun === true || !changed) return { ...planned, written: [], expires: undefined };
    if (of.discardStaged !== true) checkNothingStaged(open);
    const { expiryDays } = open.config;
    const signing = { ...open, expiryDays, keys: of.keys, message, changed };
    const signed = signChannel({ ...signing, targets: to.targets, snapshot: to.number });
    // Before the channel moves: else what was staged for the old state would come upon the new one after a kill.
    clearStage(open);
    for (const file of signed.files) writer.write(file);
    const data = { from: to.name, snapshot: to.number, previous: number, packages: target.size, message };
    announce(repository, { type: of.type, channel, data });
    return { ...planned, written: writer.written, expires: signed.expires };
  };
  return { ...planned, carryOut };
}

/** Going back twice goes back two snapshots, not forth again. */
function previousOf({ repository, channel, number }: OpenChannel): number {
  const earlier = historyOf(repository, channel).find((of) => of.number < (number ?? 0));
  if (earlier !== undefined) return earlier.number;
  throw new IcepkgError('not-found', `the channel ${channel} served no snapshot before`, {
    hint: 'Name one with --to: icepkg repo snapshots lists them',
  });
}

function checkNothingStaged({ channel, served, wanted }: OpenChannel): void {
  if (isEmptyDiff(diffIndexes(served, wanted))) return;
  throw new IcepkgError('usage', `the channel ${channel} has changes that were never published`, {
    hint: `Publish them first, or give them up with --discard-staged; icepkg repo diff ${channel} --staged shows them`,
  });
}

function breaks({ channel, broken }: Pick<Moved, 'channel' | 'broken'>): IcepkgError {
  const [first] = broken;
  const more = broken.length > 1 ? ` (and ${broken.length - 1} more)` : '';
  return new IcepkgError(
    'verify-failed',
    `${channel} would break: ${first?.package ?? ''} needs ${first?.dependency ?? ''}, which nothing provides there${more}`,
    {
      hint: 'Look at all of them with --dry-run; promote what is missing too, or go on with --allow-broken',
      data: { broken },
    },
  );
}

/** What two snapshots or channels differ in. @throws IcepkgError `not-found` */
export function diffSnapshots(repository: string, before: string, after: string): IndexDiff {
  const [old, young] = [before, after].map((name) =>
    recordsNamedBy(repository, resolveIndex(repository, name).targets),
  );
  return diffIndexes(old ?? new Map(), young ?? new Map());
}

/** What the next publish of a channel changes. */
export async function diffStaged(repository: string, channel = DEFAULT_CHANNEL): Promise<IndexDiff> {
  return withChannel(repository, { channel }, ({ served, wanted }) => diffIndexes(served, wanted));
}

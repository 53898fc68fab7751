/** The package manager in one function. */
import { rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { checkSpace } from './check-space.ts';
import { fetchPackages } from './client/fetch-packages.ts';
import { withIndex } from './client/load-indexes.ts';
import { localCandidate } from './client/local-package.ts';
import { reachable } from './client/package-index.ts';
import { commit, discard, touchedPaths, writeError } from './commit.ts';
import type { EngineContext } from './context.ts';
import { stageGenerated } from './declared/generated.ts';
import { planRoot } from './declared/plan-declared.ts';
import { describeFailure, refuseScripts, type ScriptFailure } from './declared/scripts.ts';
import type { FileRules } from './file-plan/operations.ts';
import type { Candidate, FetchedPackage, Plan, World } from './model.ts';
import { makePlan } from './plan.ts';
import { openForWriting } from './recover.ts';
import { solveWorld } from './solve-world.ts';
import type { Selected } from './solver/solve.ts';
import { capabilityName } from './solver/universe.ts';
import { stageFiles } from './stage/stage-files.ts';
import type { Donor } from './stage/donor.ts';
import { openThreads, type Threads } from './stage/threads.ts';
import { nextTransaction } from './store/reader.ts';
import { openStore, type Store } from './store/store.ts';
import { findAreas } from './transaction/areas.ts';
import { usedAreas } from './transaction/layout.ts';
import { operatorName } from './transaction/operator.ts';
import { packageStates } from './transaction/package-states.ts';
import { recordedChanges } from './transaction/recorded.ts';

export interface ChangeRequest {
  /** For the history, e.g. `install zlib`. */
  readonly description: string;
  readonly edit: (world: World) => World;
  /** Which packages may move to other versions without need. */
  readonly upgrade: 'none' | 'all' | readonly string[];
  /** Names to install again though nothing changed. */
  readonly reinstall?: readonly string[];
  /** Paths of local `.icepkg` files offered to the solver. */
  readonly files?: readonly string[];
  /** Offered to the solver in place of what the repositories have now. */
  readonly candidates?: readonly Candidate[];
  /** Packages that were fetched before, and are taken as they are. */
  readonly ready?: readonly FetchedPackage[];
  /** Has files of the packages lying ready. */
  readonly donor?: Donor;
  /** Keep packages that nothing needs any more. */
  readonly keepOrphans?: boolean;
  /** Defaults to true. */
  readonly recommends?: boolean;
  /** Move to what repositories offer even where that is older. */
  readonly preferAvailable?: boolean;
  readonly dryRun: boolean;
  /** Asked once, with the whole plan; `false` ends without a change. */
  readonly confirm: (plan: Plan) => Promise<boolean> | boolean;
  /** How much to ask of the network; defaults to `auto`. */
  readonly refresh?: 'auto' | 'force' | 'never';
  /** Accept local files that no trusted key signed. */
  readonly allowUntrusted?: boolean;
  /** Globs of paths that may be taken though no package owns what is there. */
  readonly overwrite?: readonly string[];
}

export interface ChangeOutcome {
  readonly plan: Plan;
  /** `undefined` where nothing had to be done, on a dry run, and where the operator said no. */
  readonly transaction: number | undefined;
  /** What the operator should know: kept configuration files, owners that could not be set, failed scripts. */
  readonly notices: readonly string[];
  /** Scripts of packages that did not end well; the transaction stands. */
  readonly failedScripts: readonly ScriptFailure[];
  /** What came over the network for packages; absent where none were fetched. */
  readonly received?: Received;
}

export interface Received {
  readonly bytes: number;
  /** Bytes that the packages have which came, in whatever form. */
  readonly packageBytes: number;
  /** Packages that came by patches. */
  readonly patched: number;
}

/**
 * Takes the root from what it is to what the edited world asks for, wholly or not at all.
 * @throws IcepkgError and leaves the root as it was
 */
export async function changeWorld(context: EngineContext, request: ChangeRequest): Promise<ChangeOutcome> {
  const store = request.dryRun ? openStore(context.root, { mode: 'read' }) : openForWriting(context);
  try {
    const world = request.edit(store.world());
    const selection = await choosePackages(context, store, { request, world });
    const plan = planChanges(context, store, { request, world, selection });
    const nothing = plan.changes.length === 0 && isDeepStrictEqual(plan.worldBefore, plan.worldAfter);
    const staying = stillNeeded(plan, selection);
    if (nothing || request.dryRun || !(await request.confirm(plan))) {
      return { plan, transaction: undefined, notices: staying, failedScripts: [] };
    }
    const { description, allowUntrusted = false, ready = [], donor } = request;
    const incoming = plan.changes.filter(({ to }) => to !== undefined);
    // The threads that unpack start while the packages come in, unless most is there already.
    const size = incoming.reduce((sum, { to }) => sum + (to?.record.installedSize ?? 0), 0);
    const threads = donor === undefined ? await openThreads(context.root, size) : undefined;
    let fetched: readonly FetchedPackage[] = [];
    try {
      const headerOf = (name: string): Uint8Array | undefined => store.headerOf(name);
      fetched = await fetchPackages(context, incoming, { allowUntrusted, headerOf, ready });
      const requested = new Set(
        selection.filter((one) => one.requested).map((one) => one.candidate.record.name),
      );
      const outcome = await carryOut(context, store, {
        description,
        plan,
        fetched,
        requested,
        rules: { overwrite: request.overwrite ?? [], ...context.config.files },
        threads,
        donor,
      });
      const notices = [...staying, ...outcome.notices];
      return { ...outcome, notices, received: receivedFor(fetched) };
    } finally {
      dropRebuilt(fetched);
      await threads?.close();
    }
  } finally {
    store.close();
  }
}

/** What was made for this transaction alone. */
function dropRebuilt(fetched: readonly FetchedPackage[]): void {
  for (const { file, patched } of fetched) if (patched) rmSync(file, { force: true });
}

function receivedFor(fetched: readonly FetchedPackage[]): Received {
  const came = fetched.filter(({ received }) => received > 0);
  return {
    bytes: came.reduce((sum, { received }) => sum + received, 0),
    packageBytes: came.reduce((sum, { change }) => sum + (change.to?.record.package.size ?? 0), 0),
    patched: came.filter(({ patched }) => patched).length,
  };
}

/** What nobody asks for any more and stays all the same, with the reason. */
function stillNeeded({ worldBefore, worldAfter }: Plan, selection: readonly Selected[]): string[] {
  const after = new Set(worldAfter.depends.map(capabilityName));
  const gone = new Set(worldBefore.depends.map(capabilityName).filter((name) => !after.has(name)));
  return selection
    .filter(({ candidate }) => gone.has(candidate.record.name))
    .map(({ candidate, reason }) => `${candidate.record.name} stays installed: ${reason}`);
}

/** Loads trusted indexes and solves. */
async function choosePackages(
  context: EngineContext,
  store: Store,
  { request, world }: Pick<Wanted, 'request' | 'world'>,
): Promise<readonly Selected[]> {
  const { files = [], allowUntrusted = false, upgrade, preferAvailable, keepOrphans, recommends } = request;
  const local = files.map((file) => localCandidate(context, file, allowUntrusted));
  const installed = store.installedPackages();
  const wishes = { world, worldBefore: store.world(), upgrade, preferAvailable, keepOrphans, recommends };
  if (request.candidates !== undefined)
    return solveWorld(context, { ...wishes, installed, candidates: [...local, ...request.candidates] });
  return withIndex(context, { refresh: request.refresh ?? 'auto' }, (index) =>
    solveWorld(context, {
      ...wishes,
      installed,
      candidates: [...local, ...reachable(index, { world, installed, others: local })],
      offeredNames: () => index.names(),
    }),
  );
}

interface Wanted {
  readonly request: ChangeRequest;
  readonly world: World;
  readonly selection: readonly Selected[];
}

function planChanges(context: EngineContext, store: Store, { request, world, selection }: Wanted): Plan {
  return makePlan({
    arch: context.arch,
    installed: store.installedPackages(),
    selection,
    worldBefore: store.world(),
    worldAfter: world,
    reinstall: new Set(request.reinstall),
  });
}

interface Work {
  readonly description: string;
  readonly plan: Plan;
  readonly fetched: readonly FetchedPackage[];
  readonly requested: ReadonlySet<string>;
  readonly rules: FileRules;
  readonly threads: Threads | undefined;
  readonly donor: Donor | undefined;
}

/** Check, stage, commit, record: all that touches the disk. */
async function carryOut(context: EngineContext, store: Store, work: Work): Promise<ChangeOutcome> {
  const { root } = context;
  const { plan, fetched, threads, donor } = work;
  const number = nextTransaction(store.database);
  const files = planRoot(context, store, work);
  if (context.composing) refuseScripts(files.scripts);
  const areas = usedAreas(findAreas(root), touchedPaths(files.changes).keys());
  checkSpace(root, areas, files.write);
  try {
    const { onProgress, signal } = context;
    const packages = fetched;
    const request = { root, areas, plan: files, packages, onProgress, signal, threads, donor };
    const staged = await stageFiles(request);
    const made = stageGenerated(root, areas, files.generated);
    const { owned, scripts } = files;
    const deviations = new Map([...staged.deviations, ...made, ...files.deviations]);
    const count = plan.changes.length;
    const told = { phase: 'commit', item: work.description, total: count, packages: count } as const;
    onProgress({ ...told, done: 0 });
    const failedScripts = commit(context, store, {
      number,
      time: context.now().toISOString(),
      description: work.description,
      user: context.operator ?? operatorName(),
      worldBefore: plan.worldBefore,
      worldAfter: plan.worldAfter,
      changes: recordedChanges(plan.changes),
      ...packageStates(store, { number, plan, fetched, owned, deviations, requested: work.requested }),
      areas,
      files: files.changes,
      scripts,
    });
    onProgress({ ...told, done: count });
    const unset = context.composing ? [] : staged.notices;
    const notices = [...files.notices, ...unset, ...failedScripts.map(describeFailure)];
    return { plan, transaction: number, notices, failedScripts };
  } catch (error) {
    if (store.pending() === undefined) discard(root, areas, nextTransaction(store.database));
    throw writeError(root, error);
  }
}

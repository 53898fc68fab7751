/** The rows of every package a transaction touches, before and after it. */
import type { FetchedPackage, Plan } from '../model.ts';
import type { OwnedFile, PackageState } from '../store/model.ts';
import { packageState } from '../store/reader.ts';
import type { Store } from '../store/store.ts';

export interface StatesRequest {
  readonly number: number;
  readonly plan: Plan;
  readonly fetched: readonly FetchedPackage[];
  readonly owned: ReadonlyMap<string, readonly OwnedFile[]>;
  readonly deviations: ReadonlyMap<string, string>;
  /** Names that world asks for by themselves, of everything that is installed afterwards. */
  readonly requested: ReadonlySet<string>;
}

type States = ReadonlyMap<string, PackageState | undefined>;

export function packageStates(store: Store, request: StatesRequest): { before: States; after: States } {
  const before = new Map<string, PackageState | undefined>();
  const after = new Map<string, PackageState | undefined>();
  for (const [name, state] of keptStates(store, request)) {
    before.set(name, packageState(store.database, name));
    after.set(name, state);
  }
  for (const { action, name } of request.plan.changes) {
    before.set(name, packageState(store.database, name));
    if (action === 'remove') after.set(name, undefined);
  }
  for (const { change, header } of request.fetched) {
    if (change.to === undefined) continue;
    after.set(change.name, {
      installed: {
        record: change.to.record,
        repository: change.repository,
        transaction: request.number,
        requested: request.requested.has(change.name),
      },
      header,
      files: filesOf(request, change.name),
    });
  }
  return { before, after };
}

/** Packages whose version stays but whose rows do not: they lost a path, or world names them now or no more. */
function keptStates(store: Store, request: StatesRequest): ReadonlyMap<string, PackageState> {
  const changing = new Set(request.plan.changes.map(({ name }) => name));
  const kept = new Map<string, PackageState>();
  for (const installed of store.installedPackages()) {
    const { name } = installed.record;
    const requested = request.requested.has(name);
    if (changing.has(name) || (installed.requested === requested && !request.owned.has(name))) continue;
    const state = packageState(store.database, name);
    if (state === undefined) continue;
    const files = request.owned.has(name) ? filesOf(request, name) : state.files;
    kept.set(name, { ...state, installed: { ...installed, requested }, files });
  }
  return kept;
}

function filesOf(request: StatesRequest, name: string): readonly OwnedFile[] {
  return (request.owned.get(name) ?? []).map((file) => {
    const deviation = request.deviations.get(file.path);
    return deviation === undefined ? file : Object.assign({}, file, { deviation });
  });
}

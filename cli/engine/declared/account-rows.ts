/**
 * The rows of account files say what the engine made of them, so that verify and config list show what others changed
 * and nothing else.
 */
import { sha256 } from '#schema/digest';
import type { OwnedFile, StoreReader } from '../store/model.ts';
import { ACCOUNT_PATHS } from './account-files.ts';
import type { GeneratedFile } from './generated.ts';
import type { RootPlan } from './plan-declared.ts';

/** An account file that gets more lines. */
export interface AccountChange extends GeneratedFile {
  /** sha256 of the content that the lines are added to. */
  readonly from: string;
}

export interface AccountRowsRequest {
  readonly store: Pick<StoreReader, 'ownersOf' | 'filesOf'>;
  readonly changed: readonly AccountChange[];
}

export function withAccountRows(files: RootPlan, { store, changed }: AccountRowsRequest): RootPlan {
  const owned = new Map(files.owned);
  const brought = new Map([...owned.values()].flatMap((rows) => rows.filter(isAccountFile).map(byPath)));
  for (const path of ACCOUNT_FILES) {
    const before = store.ownersOf(path).find(isAccountFile);
    const row = brought.get(path) ?? before;
    if (row === undefined) continue;
    const change = changed.find((one) => one.path === path);
    const edited = digestAfter(row, before, { change, isWritten: files.changes.write.has(path) });
    if (edited === undefined || edited === row.edited) continue;
    const rows = owned.get(row.package) ?? store.filesOf(row.package);
    owned.set(
      row.package,
      rows.map((one) => (one.path === path ? Object.assign({}, one, { edited }) : one)),
    );
  }
  return { ...files, owned };
}

const ACCOUNT_FILES: readonly string[] = Object.values(ACCOUNT_PATHS);
const isAccountFile = ({ path, sha256: digest }: OwnedFile): boolean =>
  digest !== undefined && ACCOUNT_FILES.includes(path);
const byPath = (row: OwnedFile): readonly [string, OwnedFile] => [row.path, row];

/** What somebody else changed before stays changed: what is recorded then is not what is on disk. */
function digestAfter(
  row: OwnedFile,
  before: OwnedFile | undefined,
  { change, isWritten }: { readonly change: AccountChange | undefined; readonly isWritten: boolean },
): string | undefined {
  const kept = before?.edited;
  if (change === undefined) return isWritten ? undefined : kept;
  const known = [row.sha256, kept ?? before?.sha256];
  return known.includes(change.from) ? sha256(change.content) : kept;
}

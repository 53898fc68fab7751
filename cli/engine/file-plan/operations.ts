/** What becomes of every path in a transaction, as data; nothing here touches the disk. */
import type { FileEntry, Manifest } from '#schema/manifest';
import type { FileChanges } from '../commit.ts';
import type { OwnedFile, StoreReader } from '../store/model.ts';

/** A path to put together in the stage. All paths are real: no symlinked directory is on the way. */
export interface StagedEntry {
  readonly package: string;
  readonly entry: FileEntry;
  /** Where it goes; beside `entry.path` for a configuration file that the operator changed. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** Of hardlinks: where the file is that it is another name of, and whether that one is staged too. */
  readonly link?: { readonly path: string; readonly staged: boolean };
}

/** An operator's changed configuration file that outlives its package under another name. */
export interface SavedConfig {
  readonly from: string;
  readonly to: string;
}

export interface FilePlan {
  /** Parents before children. */
  readonly write: readonly StagedEntry[];
  readonly save: readonly SavedConfig[];
  /** What `commit` is given. */
  readonly changes: FileChanges;
  /** Rows after the transaction: of every changed package that stays, and of others that lost a path. */
  readonly owned: ReadonlyMap<string, readonly OwnedFile[]>;
  /** Path of what stays as it was found, to how that differs from what its package says. */
  readonly deviations: ReadonlyMap<string, string>;
  readonly notices: readonly string[];
}

/** A package whose files change. */
export interface PackageFiles {
  readonly name: string;
  /** `undefined` where the package is removed. */
  readonly manifest: Manifest | undefined;
}

export type DiskKind = 'file' | 'directory' | 'symlink' | 'other';

/** The disk as the planner sees it; a path is looked at without following any symlink. */
export interface DiskView {
  kind(path: string): DiskKind | undefined;
  metadata(path: string): { readonly mode: number; readonly uid: number; readonly gid: number } | undefined;
  readlink(path: string): string;
  names(path: string): readonly string[];
  /** Digest of a regular file, `undefined` where there is none or it cannot be read. */
  sha256(path: string): string | undefined;
}

/** What the operator says about paths; globs, see `glob.ts`. */
export interface FileRules {
  /** May be taken though nobody owns what is there. */
  readonly overwrite?: readonly string[];
  /** Never replaced: the new file lands beside. */
  readonly keep?: readonly string[];
  /** Never put on disk, never recorded. */
  readonly skip?: readonly string[];
}

export interface FilePlanRequest extends FileRules {
  readonly packages: readonly PackageFiles[];
  readonly store: Pick<StoreReader, 'filesOf' | 'ownersOf' | 'installedPackage'>;
  readonly disk: DiskView;
  /** Numbers of accounts that entries name; unknown names fall back to the entry's own numbers. */
  readonly accounts?: {
    uid(name: string): number | undefined;
    gid(name: string): number | undefined;
  };
}

/** What the store says, as plain data. */
import type { FileEntry } from '#schema/manifest';
import type { MachineArch } from '#schema/fields';
import type { PendingScript } from '../declared/scripts.ts';
import type { Action, InstalledPackage, World } from '../model.ts';

/** One path one package owns. Directories may have several owners; everything else has one. */
export interface OwnedFile {
  /** Where it really is below the root: symlinked directories on the way are resolved. */
  readonly path: string;
  readonly package: string;
  readonly type: FileEntry['type'];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Of the content the package brought; set for regular files and hardlinks. */
  readonly sha256?: string;
  /** Of symlinks and hardlinks. */
  readonly target?: string;
  readonly config?: true;
  /** What could not be set on this file system or without root rights, in words. */
  readonly deviation?: string;
  /** sha256 of what the engine itself made of the content, where it adds accounts to it. */
  readonly edited?: string;
}

export interface TransactionSummary {
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** What was asked, e.g. `install zlib`. */
  readonly description: string;
  /** Login name of whoever asked. */
  readonly user: string;
  readonly changes: readonly RecordedChange[];
  /** True while what it replaced is still kept, so that `rollback` can undo it. */
  readonly undoable: boolean;
}

export interface RecordedChange {
  readonly action: Action;
  readonly name: string;
  readonly arch: string;
  readonly oldVersion: string | undefined;
  readonly newVersion: string | undefined;
  readonly repository: string | undefined;
  readonly reason: string;
}

export interface TransactionDetail extends TransactionSummary {
  readonly worldBefore: World;
  readonly worldAfter: World;
}

/** How a path was before a transaction touched it. */
export interface UndoRow {
  readonly path: string;
  /** `kept`: the content lies in the undo store; `directory`: recreate it; `absent`: there was nothing. */
  readonly prior: 'kept' | 'directory' | 'absent';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** sha256 of what the transaction put there where an operator may edit it; rolled back only while it is still that. */
  readonly written: string | undefined;
}

/** A package as it was before or is after a transaction: all that is needed to put its rows back. */
export interface PackageState {
  readonly installed: InstalledPackage;
  /** The header frame of the package, for its manifest. */
  readonly header: Uint8Array;
  readonly files: readonly OwnedFile[];
}

/** What recovery must still do after the commit point; every step may be repeated. */
export interface Journal {
  readonly transaction: number;
  readonly description: string;
  /** Paths moved away (deepest first) because their type changes, before anything is put in place. */
  readonly displace: readonly string[];
  readonly remove: readonly { readonly path: string; readonly directory: boolean }[];
  /** Owner and mode of directories that were there before. */
  readonly directories: readonly {
    readonly path: string;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
  }[];
  /** Mount points below the root (`''` is the root itself) that have a stage of their own. */
  readonly areas: readonly string[];
  /** Scripts that are still to run; absent where packages have none. */
  readonly scripts?: readonly PendingScript[];
}

export interface StoreReader {
  arch(): MachineArch;
  world(): World;
  /** Sorted by name. */
  installedPackages(): readonly InstalledPackage[];
  installedPackage(name: string): InstalledPackage | undefined;
  headerOf(name: string): Uint8Array | undefined;
  /** Sorted by path. */
  filesOf(name: string): readonly OwnedFile[];
  allFiles(): readonly OwnedFile[];
  ownersOf(path: string): readonly OwnedFile[];
  /** Newest first. */
  history(): readonly TransactionSummary[];
  transaction(number: number): TransactionDetail | undefined;
  /** The committed transaction whose files are not all in place yet. */
  pending(): Journal | undefined;
}

/**
 * The nouns of the package manager, shared by solver, plan, transaction, store and client.
 * Plain data throughout: whoever holds one of these can print it as JSON.
 */
import type { MachineArch } from '#schema/fields';
import type { PackageRecord } from '#schema/index-shard';
import type { Manifest } from '#schema/manifest';

/** A package as the store knows it. `record` is what the solver needs; the manifest is loaded on demand. */
export interface InstalledPackage {
  readonly record: PackageRecord;
  /** The repository it came from, or `undefined` for a local file. */
  readonly repository: string | undefined;
  /** Number of the transaction that installed this version. */
  readonly transaction: number;
  /** True where world names it, false where something else pulled it in. */
  readonly requested: boolean;
}

/** Where a package's bytes can be had. */
export type PackageSource =
  | { readonly kind: 'repository'; readonly repository: string }
  | { readonly kind: 'file'; readonly file: string }
  /** Only installed: no repository offers this version any more. */
  | { readonly kind: 'installed' };

/** One version of one package from one place: what the solver chooses among. */
export interface Candidate {
  readonly record: PackageRecord;
  readonly source: PackageSource;
}

/** What the operator asked for: the only state a person edits. */
export interface World {
  /** Dependencies in the language of `index-schema/dependency.ts`, in the order they were asked for. */
  readonly depends: readonly string[];
  /** Package names whose installed version must not change. */
  readonly holds: readonly string[];
  /** Package name to the repository (or `repository/channel`) it must come from. */
  readonly pins: Readonly<Record<string, string>>;
}

export type Action = 'install' | 'upgrade' | 'downgrade' | 'reinstall' | 'remove';

/** One line of a plan. */
export interface Change {
  readonly action: Action;
  readonly name: string;
  readonly arch: string;
  readonly oldVersion: string | undefined;
  readonly newVersion: string | undefined;
  readonly repository: string | undefined;
  /** A phrase a person understands: `requested`, `needed by bash (so:libreadline.so.8)`, `no longer needed`. */
  readonly reason: string;
  readonly from: InstalledPackage | undefined;
  readonly to: Candidate | undefined;
}

/** A pure difference of two states, in the order it is carried out. */
export interface Plan {
  readonly arch: MachineArch;
  readonly changes: readonly Change[];
  readonly worldBefore: World;
  readonly worldAfter: World;
  /** Bytes to fetch at most, before caches are consulted. */
  readonly downloadSize: number;
  /** Bytes that the root grows by; negative where it shrinks. */
  readonly sizeDifference: number;
}

/** A package whose bytes are at hand and whose manifest was checked against what was trusted. */
export interface FetchedPackage {
  readonly change: Change;
  /** A file holding the whole package, or, where it came by a patch, the same content in other frames. */
  readonly file: string;
  readonly headerSize: number;
  /** Its frames are those of `file`. */
  readonly manifest: Manifest;
  /** The header frame as it stands in the package, kept by the store. */
  readonly header: Uint8Array;
  /** Bytes that came over the network for it; none where it was at hand. */
  readonly received: number;
  /** True where it was made from the installed version and a patch: `file` is of no use to anybody else. */
  readonly patched: boolean;
}

/** What a long operation tells while it runs; reporters render it, nobody parses it. */
export type Progress =
  | { readonly phase: 'refresh'; readonly repository: string; readonly done: boolean }
  | {
      readonly phase: 'download' | 'verify' | 'extract' | 'commit';
      /** What is being worked on, e.g. `zlib-1.3.1-r0`. */
      readonly item: string;
      /** Of all packages together: bytes, or of a commit the packages. */
      readonly done: number;
      readonly total: number;
      /** How many packages that is. */
      readonly packages: number;
    }
  | { readonly phase: 'recover'; readonly message: string }
  | { readonly phase: 'warning'; readonly message: string };

export type OnProgress = (progress: Progress) => void;

/** What every engine operation is given: the root, its configuration and the outside world as arguments. */
import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { loadConfig, type Config } from './config.ts';
import type { OnProgress } from './model.ts';
import { STATE_FILE } from './transaction/layout.ts';
import type { Journal } from './store/model.ts';
import { openStore } from './store/store.ts';

export interface EngineContext {
  /** Absolute and free of symlinks. */
  readonly root: string;
  readonly arch: MachineArch;
  readonly config: Config;
  readonly onProgress: OnProgress;
  readonly now: () => Date;
  /** Never open a connection; use caches, folders and installed data. */
  readonly offline: boolean;
  /** Flush to the device around the commit point. Without it a power cut, not a crash, may tear the root. */
  readonly sync: boolean;
  /** Folder that keeps fetched packages, named by sha256; below the root without. */
  readonly packageCache?: string;
  /** Who asks, for the history; the login name without. */
  readonly operator?: string;
  /** The root becomes an image: no script runs, and whoever makes the file systems sets owners. */
  readonly composing?: boolean;
  readonly signal?: AbortSignal;
  /** Told of every step that changes the disk, just before it; tests stop the process here. */
  readonly onStep?: (step: string) => void;
}

export interface ContextOptions {
  readonly root: string;
  /** Refused where it differs from the root's own. */
  readonly arch?: MachineArch;
  readonly onProgress?: OnProgress;
  readonly now?: () => Date;
  readonly offline?: boolean;
  readonly sync?: boolean;
  readonly packageCache?: string;
  readonly operator?: string;
  readonly composing?: boolean;
  readonly signal?: AbortSignal;
  readonly onStep?: (step: string) => void;
}

/**
 * Opens a root that `initRoot` made.
 * @throws IcepkgError `root-invalid` where it is none, `usage` where `arch` contradicts it
 */
export function openContext(options: ContextOptions): EngineContext {
  const root = locateRoot(options.root);
  const store = openStore(root, { mode: 'read' });
  const onProgress = options.onProgress ?? (() => undefined);
  let arch: MachineArch;
  try {
    arch = store.arch();
    const pending = store.pending();
    if (pending !== undefined) onProgress({ phase: 'warning', message: unfinishedText(pending) });
  } finally {
    store.close();
  }
  if (options.arch !== undefined && options.arch !== arch) {
    throw new IcepkgError('usage', `the root ${root} is for ${arch}, not ${options.arch}`, {
      hint: `Leave out --arch, or make another root: icepkg init --root DIR --arch ${options.arch}`,
    });
  }
  return {
    root,
    arch,
    config: loadConfig(root),
    onProgress,
    now: options.now ?? (() => new Date()),
    offline: options.offline ?? false,
    sync: options.sync ?? true,
    ...(options.packageCache === undefined ? {} : { packageCache: options.packageCache }),
    ...(options.operator === undefined ? {} : { operator: options.operator }),
    ...(options.composing === undefined ? {} : { composing: options.composing }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
  };
}

/** What everybody is told who looks at a root between two states; who changes it finishes that first. */
const unfinishedText = ({ transaction, description }: Journal): string =>
  `transaction ${transaction} (${description}) is not wholly in place yet; ` +
  'the next command that changes the root finishes it';

/**
 * The real, absolute path of a root folder.
 * @throws IcepkgError `root-invalid` where it is none
 */
export function locateRoot(given: string): string {
  const root = realRoot(given);
  if (lstatOf(join(root, STATE_FILE)) === undefined) {
    throw new IcepkgError('root-invalid', `${root} is not an icepkg root: ${STATE_FILE} is missing`, {
      hint: `Name a root with --root DIR, or make this one: icepkg init --root ${root}`,
    });
  }
  return root;
}

function realRoot(given: string): string {
  try {
    const root = realpathSync(resolve(given));
    if (lstatOf(root)?.isDirectory() === true) return root;
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new IcepkgError('root-invalid', `the root ${resolve(given)} does not exist`, {
      hint: `Make it: icepkg init --root ${resolve(given)}`,
      cause: error,
    });
  }
  throw new IcepkgError('root-invalid', `the root ${resolve(given)} is not a directory`, {
    hint: 'Name a directory with --root',
  });
}

function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

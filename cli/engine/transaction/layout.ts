/** Where the transaction keeps its things; all paths are relative to the root. */
import type { FileEntry } from '#schema/manifest';

export const STATE_DIRECTORY = 'var/lib/ice-pkg';
export const STATE_FILE = `${STATE_DIRECTORY}/state.sqlite`;
export const LOCK_FILE = `${STATE_DIRECTORY}/lock.sqlite`;
export const HOLDER_FILE = `${STATE_DIRECTORY}/lock.pid`;
/** Downloads and indexes; everything in it can be had again. */
export const CACHE_DIRECTORY = 'var/cache/icepkg';
export const CONFIG_DIRECTORY = 'etc/icepkg';
const OWN = [STATE_DIRECTORY, CACHE_DIRECTORY, CONFIG_DIRECTORY];

/** At the top of a mount point below the root, where stage and undo of that file system lie. */
const MOUNT_DIRECTORY = '.icepkg';

/**
 * A file system of the root. Files are staged and kept for undo on the file system they belong to, so that a
 * rename or a hardlink is enough to move them.
 */
export interface Area {
  /** Mount point relative to the root, `''` for the root itself. */
  readonly mount: string;
  /** The folder of stage and undo. */
  readonly base: string;
  /** Mirrors the mount point's own tree: `usr/bin/env` is staged as `<stage>/usr/bin/env`. */
  readonly stage: string;
  /** Holds one folder a transaction, each mirroring the mount point's tree. */
  readonly undo: string;
}

/** @param own folder for the root itself, see `areasOf` */
function areaOf(mount: string, own: string): Area {
  const base = mount === '' ? own : `${mount}/${MOUNT_DIRECTORY}`;
  return { mount, base, stage: `${base}/stage/tree`, undo: `${base}/undo` };
}

/**
 * The root's own area and one for each mount point.
 * @param mounts all mount points below the root: where one holds the state, the root has stage and undo at its top
 * @param used those of them that areas are wanted of
 */
export function areasOf(mounts: readonly string[], used: readonly string[] = mounts): readonly Area[] {
  const elsewhere = mounts.some((mount) => `${STATE_DIRECTORY}/`.startsWith(`${mount}/`));
  const own = areaOf('', elsewhere ? MOUNT_DIRECTORY : STATE_DIRECTORY);
  return [own, ...used.filter((mount) => mount !== '').map((mount) => areaOf(mount, ''))];
}

/** Where a stage of the root's own area may be. */
export const OWN_STAGES: readonly string[] = [`${STATE_DIRECTORY}/stage`, `${MOUNT_DIRECTORY}/stage`];

/** The area that a path lies in: the one with the longest mount point above it. */
export function areaFor(areas: readonly Area[], path: string): Area {
  let best: Area | undefined;
  for (const area of areas) {
    const isAbove = area.mount === '' || path.startsWith(`${area.mount}/`);
    if (isAbove && (best === undefined || area.mount.length > best.mount.length)) best = area;
  }
  if (best === undefined) throw new Error(`${path} lies in none of the areas`);
  return best;
}

const inside = (area: Area, path: string): string =>
  area.mount === '' ? path : path.slice(area.mount.length + 1);

/** Where `path` is put together before it moves into place. */
export function stagePath(areas: readonly Area[], path: string): string {
  const area = areaFor(areas, path);
  return `${area.stage}/${inside(area, path)}`;
}

/** Where a transaction keeps what `path` was. */
export function undoPath(areas: readonly Area[], transaction: number, path: string): string {
  const area = areaFor(areas, path);
  return `${area.undo}/${transaction}/${inside(area, path)}`;
}

/**
 * True for what belongs to the package manager itself and no package may touch, and for what would lead its folders
 * elsewhere: above them there are directories only, and no symlink lies below them.
 */
export function isReserved(path: string, type: FileEntry['type'] = 'directory'): boolean {
  return (
    path === STATE_DIRECTORY ||
    (type !== 'directory' && OWN.some((own) => own === path || own.startsWith(`${path}/`))) ||
    (type === 'symlink' && OWN.some((own) => path.startsWith(`${own}/`))) ||
    path.startsWith(`${STATE_DIRECTORY}/`) ||
    path === MOUNT_DIRECTORY ||
    path.startsWith(`${MOUNT_DIRECTORY}/`) ||
    path.includes(`/${MOUNT_DIRECTORY}/`) ||
    path.endsWith(`/${MOUNT_DIRECTORY}`)
  );
}

/** The areas that the paths lie in, and the root's own. */
export function usedAreas(areas: readonly Area[], paths: Iterable<string>): readonly Area[] {
  const used = new Set(['']);
  for (const path of paths) used.add(areaFor(areas, path).mount);
  return areas.filter(({ mount }) => used.has(mount));
}

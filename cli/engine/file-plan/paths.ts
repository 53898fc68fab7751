/**
 * Where paths really are once the transaction is done: symlinked directories are followed as in a chroot, on the
 * disk as it will be, so that two names of one file are one path to the planner.
 */
import { IcepkgError } from '#schema/error';
import { parentPath } from '#schema/path';
import type { DiskKind, DiskView } from './operations.ts';

const MOST_HOPS = 40;

/** The disk after the transaction, as far as directories and symlinks matter. */
export interface FutureDisk {
  kind(path: string): DiskKind | undefined;
  target(path: string): string;
}

/** @param symlinks of the new packages; @param leaving non-directories that no new package has */
export function futureDisk(
  disk: DiskView,
  symlinks: ReadonlyMap<string, string>,
  leaving: ReadonlySet<string>,
): FutureDisk {
  return {
    kind: (path) => (symlinks.has(path) ? 'symlink' : leaving.has(path) ? undefined : disk.kind(path)),
    target: (path) => symlinks.get(path) ?? disk.readlink(path),
  };
}

export interface Resolver {
  /** With every symlinked directory above it followed. */
  parent(path: string): string;
  /** The directory that a symlink at `path` leads to, or `path` where it leads to none. */
  directory(path: string): string;
}

export function openResolver(disk: FutureDisk): Resolver {
  const known = new Map<string, string>();
  /** Follows everything, the last component too. */
  const follow = (path: string): string => {
    const cached = known.get(path);
    if (cached !== undefined) return cached;
    const ahead = path.split('/').reverse();
    let at = '';
    let hops = 0;
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        at = parentPath(at);
        continue;
      }
      const next = at === '' ? name : `${at}/${name}`;
      if (disk.kind(next) !== 'symlink') {
        at = next;
        continue;
      }
      hops += 1;
      if (hops > MOST_HOPS) {
        throw new IcepkgError('path-unsafe', `too many symlinks on the way to /${path}`, {
          hint: 'Remove the symlink that leads back to itself',
        });
      }
      const target = disk.target(next);
      if (target.startsWith('/')) at = '';
      ahead.push(...target.split('/').reverse());
    }
    known.set(path, at);
    return at;
  };
  return {
    parent: (path) => {
      const above = parentPath(path);
      const real = follow(above);
      const name = above === '' ? path : path.slice(above.length + 1);
      return real === '' ? name : `${real}/${name}`;
    },
    directory: (path) => {
      if (disk.kind(path) !== 'symlink') return path;
      const real = follow(path);
      return disk.kind(real) === 'directory' ? real : path;
    },
  };
}

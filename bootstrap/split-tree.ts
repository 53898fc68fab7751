/** Which part of the composed root lies on which partition. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Partition } from './definition-schema.ts';
import type { RootEntry } from './description.ts';

/** A folder and what is in it, with paths that count from the folder. */
export interface Tree {
  readonly folder: string;
  readonly entries: readonly RootEntry[];
  /** The folder itself, with the path `.`; root's with mode 0755 without. */
  readonly top?: RootEntry;
}

/**
 * Moves the content of every partition's mount point out of the tree, into a folder of its own below `scratch`; the root
 * partition keeps what is left. A partition that is mounted nowhere is empty; one that is mounted inside another one has
 * its content to itself. The top of each is owned as the mount point is, which it hides.
 */
export function splitTree(
  whole: Tree,
  partitions: readonly Partition[],
  scratch: string,
): ReadonlyMap<string, Tree> {
  const parts = new Map<string, Tree>();
  let rest = whole.entries;
  for (const { name, type, mount = '/' } of innermostFirst(partitions)) {
    if (type === 'root') continue;
    const folder = path.join(scratch, `part-${name}`);
    fs.mkdirSync(folder);
    fs.chmodSync(folder, 0o755);
    const place = rest.find((entry) => entry.path === mount.slice(1));
    const inside = (entry: RootEntry): boolean =>
      mount !== '/' && entry.path.startsWith(`${mount.slice(1)}/`);
    const own = rest.filter(inside);
    const entries = own.map((entry) => Object.assign({}, entry, { path: entry.path.slice(mount.length) }));
    for (const { path: file } of entries)
      if (!file.includes('/')) moveOut(path.join(whole.folder, mount, file), path.join(folder, file));
    rest = rest.filter((entry) => !inside(entry));
    parts.set(name, {
      folder,
      entries,
      ...(place === undefined || isPlain(place) ? {} : { top: { ...place, path: '.' } }),
    });
  }
  for (const { name, type } of partitions)
    if (type === 'root') parts.set(name, { folder: whole.folder, entries: rest });
  return parts;
}

const isPlain = ({ mode, uid, gid, xattrs }: RootEntry): boolean =>
  mode === 0o755 && uid === 0 && gid === 0 && xattrs === undefined;

const innermostFirst = (partitions: readonly Partition[]): Partition[] =>
  partitions.toSorted((a, b) => (b.mount ?? '').length - (a.mount ?? '').length);

/** Device nodes may be in the manifests alone. */
function moveOut(from: string, to: string): void {
  if (fs.lstatSync(from, { throwIfNoEntry: false }) !== undefined) fs.renameSync(from, to);
}

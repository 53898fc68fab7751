/** What the device mounts beside its root: `etc/fstab`, from the partitions of the definition. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { comparePaths } from '#schema/path';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { sha256File } from '#pkgbuild/sources/cache';
import type { Definition } from './definition.ts';
import type { RootEntry } from './description.ts';
import { derivedUuid } from './disk.ts';
import { placeInRoot, writeInRoot } from './root-path.ts';
import type { Tree } from './split-tree.ts';

/** FAT has no modes of its own; these are what packages give their files. */
const OPTIONS = { vfat: 'nosuid,nodev,noexec,fmask=0133,dmask=0022', ext4: 'nosuid,nodev' } as const;

const TABLE = 'etc/fstab';

/** Writes it where no package or overlay did, and there is more than the root. @returns whether it did */
export function writeMountTable(root: string, definition: Definition, key: string): boolean {
  const text = mountTable(definition, key);
  const there = fs.lstatSync(placeInRoot(root, TABLE), { throwIfNoEntry: false });
  if (text === '' || there !== undefined) return false;
  writeInRoot(root, TABLE, text);
  return true;
}

/** The tree with the table in it, for a disk that is made of what a medium has. */
export function withMountTable(tree: Tree, definition: Definition, key: string): Tree {
  if (!writeMountTable(tree.folder, definition, key)) return tree;
  const file = path.join(tree.folder, TABLE);
  for (const one of [file, path.dirname(file)]) fs.utimesSync(one, BUILD_EPOCH, BUILD_EPOCH);
  const content = { size: fs.statSync(file).size, sha256: sha256File(file), packages: [] };
  const entry: RootEntry = { path: TABLE, type: 'file', mode: 0o644, uid: 0, gid: 0, ...content };
  const entries = [...tree.entries, entry].sort((a, b) => comparePaths(a.path, b.path));
  return { folder: tree.folder, entries };
}

/**
 * Makes the folders that partitions are mounted at, where nothing brought them.
 * @throws IcepkgError `image-failed` where one lies behind what is no folder, such as a symlink
 */
export function makeMountPoints(root: string, { partitions }: Definition): void {
  for (const { name, mount = '/' } of partitions) {
    let folder = root;
    for (const part of mount.split('/').filter((one) => one !== '')) {
      folder = path.join(folder, part);
      const there = fs.lstatSync(folder, { throwIfNoEntry: false });
      if (there === undefined) {
        fs.mkdirSync(folder);
        fs.chmodSync(folder, 0o755);
      } else if (!there.isDirectory())
        throw new IcepkgError(
          'image-failed',
          `partition ${name} is mounted at ${mount}, and /${path.relative(root, folder)} is no folder in the image`,
          { hint: 'Name the folder itself as its mount' },
        );
    }
  }
}

/** @returns nothing where the root is all there is */
export function mountTable({ partitions }: Definition, key: string): string {
  // A folder is there once what it lies on is mounted.
  return partitions
    .toSorted((a, b) => (a.mount ?? '').length - (b.mount ?? '').length)
    .flatMap(({ name, type, filesystem, mount }) => {
      if (type === 'root' || mount === undefined) return [];
      if (filesystem !== 'vfat' && filesystem !== 'ext4') return [];
      const uuid = derivedUuid(key, 'filesystem', name);
      const id = filesystem === 'vfat' ? uuid.slice(0, 8).toUpperCase().replace(/^..../, '$&-') : uuid;
      return [`UUID=${id} ${mount} ${filesystem} ${OPTIONS[filesystem]} 0 2\n`];
    })
    .join('');
}

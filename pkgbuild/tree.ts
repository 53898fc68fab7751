/** Walks what a build installed. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { comparePaths, isSafePath } from '#schema/path';

export interface TreeEntry {
  /** Relative to the root of the tree. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly size: number;
  /** Target of a symlink. */
  readonly target: string | undefined;
  /** `device:inode` of a file that has several names. */
  readonly inode: string | undefined;
}

/** All entries below `root`, sorted by path. @throws IcepkgError `build-failed` for what no package can hold */
export function walkTree(root: string): TreeEntry[] {
  const entries: TreeEntry[] = [];
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const name of fs.readdirSync(path.join(root, folder))) {
      const relative = folder === '' ? name : `${folder}/${name}`;
      if (!isSafePath(relative))
        throw new IcepkgError(
          'build-failed',
          `the build installed a path that no package may hold: ${JSON.stringify(relative)}`,
        );
      const file = path.join(root, relative);
      const stat = fs.lstatSync(file);
      const type = stat.isFile()
        ? 'file'
        : stat.isDirectory()
          ? 'directory'
          : stat.isSymbolicLink()
            ? 'symlink'
            : undefined;
      if (type === undefined)
        throw new IcepkgError(
          'build-failed',
          `the build installed ${relative}, which is no file, directory or symlink`,
        );
      entries.push({
        path: relative,
        type,
        mode: stat.mode & 0o7777,
        size: stat.size,
        target: type === 'symlink' ? fs.readlinkSync(file) : undefined,
        inode: type === 'file' && stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : undefined,
      });
      if (type === 'directory') pending.push(relative);
    }
  }
  return entries.sort((a, b) => comparePaths(a.path, b.path));
}

/** Compiles a pattern: `*` and `?` stay in one component, `**` crosses them; a directory's name takes all in it. */
export function globToRegExp(glob: string): RegExp {
  const body = glob.replace(/\/$/, '').replaceAll(/\*\*\/|\*\*|\*|\?|\[[^\]]*\]|[^*?[]+|\[/g, (part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.startsWith('[') && part.length > 1) return part.replace(/^\[!/, '[^');
    return part.replaceAll(/[\\^$.|+(){}[\]]/g, '\\$&');
  });
  return new RegExp(`^${body}(?:/.*)?$`);
}

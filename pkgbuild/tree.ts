/** Walks what a build installed. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError, type ErrorCode } from '#schema/error';
import type { FileEntry } from '#schema/manifest';
import { comparePaths, isSafePath } from '#schema/path';

export interface TreeEntry {
  /** Relative to the root of the tree. */
  readonly path: string;
  readonly type: Exclude<FileEntry['type'], 'hardlink'>;
  readonly mode: number;
  readonly size: number;
  /** Target of a symlink. */
  readonly target: string | undefined;
  /** `device:inode` of a file that has several names. */
  readonly inode: string | undefined;
  /** Numbers of a device node. */
  readonly device?: { readonly major: number; readonly minor: number };
}

export interface WalkOptions {
  /** Begins the error on what no package can hold: `the build installed`. */
  readonly holder: string;
  readonly code: ErrorCode;
  /** Takes fifos and device nodes too. */
  readonly nodes: boolean;
}

const BUILD = { holder: 'the build installed', code: 'build-failed', nodes: false } as const;

/** All entries below `root`, sorted by path. @throws IcepkgError for what no package can hold */
export function walkTree(root: string, { holder, code, nodes }: WalkOptions = BUILD): TreeEntry[] {
  const entries: TreeEntry[] = [];
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const name of fs.readdirSync(path.join(root, folder))) {
      const relative = folder === '' ? name : `${folder}/${name}`;
      if (!isSafePath(relative))
        throw new IcepkgError(code, `${holder} a path that no package may hold: ${JSON.stringify(relative)}`);
      const file = path.join(root, relative);
      const stat = fs.lstatSync(file);
      const type = typeOf(stat);
      const isNode = type === 'fifo' || type === 'character-device' || type === 'block-device';
      if (type === undefined || (isNode && !nodes))
        throw new IcepkgError(code, `${holder} ${relative}, which is no file, directory or symlink`);
      entries.push({
        path: relative,
        type,
        mode: stat.mode & 0o7777,
        size: stat.size,
        target: type === 'symlink' ? fs.readlinkSync(file) : undefined,
        inode: type === 'file' && stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : undefined,
        ...(isNode && type !== 'fifo' ? { device: deviceNumbers(stat.rdev) } : {}),
      });
      if (type === 'directory') pending.push(relative);
    }
  }
  return entries.sort((a, b) => comparePaths(a.path, b.path));
}

function typeOf(stat: fs.Stats): TreeEntry['type'] | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character-device';
  if (stat.isBlockDevice()) return 'block-device';
  return undefined;
}

/** Linux's 32 bit layout: minor 0-7, major 8-19, minor 20-31. */
export const deviceNumbers = (rdev: number): { major: number; minor: number } => ({
  major: (rdev >>> 8) & 0xfff,
  minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00),
});

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

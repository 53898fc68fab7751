/** From the path of a request to an open file inside the repository, or to the status that refuses it. */
import * as fs from 'node:fs';
import { extname, join, sep } from 'node:path';
import { isErrno } from '#schema/error';
import { isSafePath } from '#schema/path';

export interface ServedFile {
  /** Whoever asked for it closes it. */
  readonly fd: number;
  readonly size: number;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly type: string;
  /** True where another content would have another name. */
  readonly immutable: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  '.json': 'application/json',
  '.zst': 'application/zstd',
  '.icepkg': 'application/octet-stream',
  '.pub': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
};

/** Named by version or digest, or a package, whose version never changes its content. */
const IMMUTABLE =
  /^(?:targets\/.*\/[0-9a-f]{64}\.[^/]+|channels\/[^/]+\/metadata\/[0-9]+\.[^/]+|packages\/.+\.icepkg)$/;

/** How caches and browsers are told to take a file, for servers and object stores. */
export const contentHeaders = (
  path: string,
): { readonly type: string; readonly cacheControl: string; readonly immutable: boolean } => {
  const immutable = IMMUTABLE.test(path);
  return {
    type: TYPES[extname(path)] ?? 'application/octet-stream',
    cacheControl: immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    immutable,
  };
};

/**
 * Opens what a request path names. What is private is not there, nor is what a symlink leads to outside the
 * repository. It does not hand these four calls to a thread: that takes many times as long as they do.
 * @param root real path of the repository
 */
export function openServed(root: string, requestPath: string): ServedFile | 400 | 403 | 404 | 503 {
  const path = decodeRequestPath(requestPath);
  if (path === undefined) return 400;
  if (isPrivate(path)) return 404;
  let fd: number;
  try {
    fd = fs.openSync(join(root, path), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ENXIO')) return 404;
    if (isErrno(error, 'EACCES', 'EPERM')) return 403;
    // More files are open than may be: that passes.
    if (isErrno(error, 'EMFILE', 'ENFILE')) return 503;
    throw error;
  }
  let kept = false;
  try {
    // Judged by what was opened, not by its name, which could lead elsewhere by now.
    // A file that was replaced since is served as it was when it was opened.
    const real = fs.readlinkSync(`/proc/self/fd/${fd}`).replace(/ \(deleted\)$/, '');
    if (!real.startsWith(root + sep) || isPrivate(real.slice(root.length + 1))) return 404;
    const stat = fs.fstatSync(fd, { bigint: true });
    if (!stat.isFile()) return 404;
    kept = true;
    return {
      fd,
      size: Number(stat.size),
      dev: stat.dev,
      ino: stat.ino,
      mtimeNs: stat.mtimeNs,
      type: TYPES[extname(path)] ?? 'application/octet-stream',
      immutable: IMMUTABLE.test(path),
    };
  } finally {
    if (!kept) fs.closeSync(fd);
  }
}

/** The operator's notes, files being written, and a key that somebody left here. */
export const isPrivate = (path: string): boolean =>
  path.endsWith('.key') || path.split('/').some((part) => part.startsWith('.'));

/** Decodes once, and takes only what is canonical then: no `..`, empty component, backslash or control character. */
export function decodeRequestPath(requestPath: string): string | undefined {
  if (!requestPath.startsWith('/')) return undefined;
  try {
    const path = decodeURIComponent(requestPath.slice(1));
    return isSafePath(path) && !path.includes('\\') ? path : undefined;
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

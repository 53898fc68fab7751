/** A folder or a USB stick as a mirror: the same files, read in place, with the very same checks. */
import * as fs from 'node:fs';
import { resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isErrno } from '#schema/error';
import { networkError, type GetRequest, type Reply, type Transport } from './transport.ts';

const CHUNK = 256 * 1024;

/** @param base a `file://` address or an absolute path */
export function folderTransport(base: string): Transport {
  const folder = resolve(base.startsWith('file:') ? fileURLToPath(base) : base);
  const localFile = (path: string): string => {
    const file = resolve(folder, decodeURIComponent(path));
    if (!file.startsWith(folder === sep ? sep : folder + sep))
      throw networkError(`${file}: outside ${folder}`);
    return file;
  };
  return {
    addressOf: localFile,
    localFile,
    get: (path, request = {}) => Promise.resolve(open(localFile(path), request)),
    close: () => undefined,
  };
}

function open(file: string, { offset = 0, signal }: GetRequest): Reply | undefined {
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw networkError(`${file}: cannot be read`, error);
  }
  const stat = fs.fstatSync(fd);
  if (!stat.isFile()) {
    fs.closeSync(fd);
    throw networkError(`${file}: not a file`);
  }
  return { offset, total: stat.size, etag: undefined, body: bodyOf(fd, file, { offset, signal }) };
}

async function* bodyOf(
  fd: number,
  file: string,
  { offset, signal }: { readonly offset: number; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  try {
    for (let at = offset; ;) {
      signal?.throwIfAborted();
      const room = Buffer.allocUnsafe(CHUNK);
      const size = fs.readSync(fd, room, 0, CHUNK, at);
      if (size === 0) return;
      at += size;
      yield room.subarray(0, size);
    }
  } catch (error) {
    throw isErrno(error, 'EIO', 'EISDIR', 'ENODEV') ? networkError(`${file}: cannot be read`, error) : error;
  } finally {
    fs.closeSync(fd);
  }
}

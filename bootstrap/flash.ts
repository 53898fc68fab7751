/** Writes a disk image to a device, or a file that stands for one, and reads it back. */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { checkUnused, deviceSize } from './block-device.ts';

const MIB = 1024 ** 2;

export interface FlashRequest {
  /** The raw disk image. */
  readonly image: string;
  /** What it must hash to. */
  readonly sha256: string;
  /** Device or file. A file that is not there is made; one that is there is a disk of its size. */
  readonly target: string;
  /** Asked once, when nothing stands in the way. */
  readonly confirm: (target: FlashTarget) => Promise<boolean>;
  readonly onProgress?: (phase: 'write' | 'verify', done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface FlashTarget {
  readonly path: string;
  readonly isDevice: boolean;
  /** Bytes; undefined for a file that is yet to be made. */
  readonly size: number | undefined;
}

/**
 * @throws IcepkgError `image-failed` where the target is in use or too small, `verify-failed` where the image, or what was
 * read back, has another hash
 */
export async function flashImage(request: FlashRequest): Promise<FlashTarget> {
  const { image, sha256, signal } = request;
  const total = fs.statSync(image).size;
  const target = lookAt(request.target);
  if (target.size !== undefined && target.size < total)
    throw new IcepkgError(
      'image-failed',
      `${target.path} is too small: it has ${mib(target.size)}, and the image ${mib(total)}`,
      { hint: 'Name a larger one' },
    );
  checkUnused(target);
  if (digestOf(image, total, signal) !== sha256)
    throw new IcepkgError('verify-failed', `${image} is not what was released: its hash differs`, {
      hint: 'Fetch it again, or build it again: icepkg image build',
    });
  if (!(await request.confirm(target)))
    throw new IcepkgError('cancelled', 'nothing was written, as you wished');
  try {
    copy(request, target, total);
  } catch (error) {
    if (target.size === undefined) fs.rmSync(target.path, { force: true });
    throw error;
  }
  const seen = digestOf(target.path, total, signal, (done) => request.onProgress?.('verify', done, total));
  if (seen !== sha256)
    throw new IcepkgError('verify-failed', `${target.path} does not hold what was written to it`, {
      hint: 'The medium may be worn out; try another one',
    });
  return target;
}

function lookAt(given: string): FlashTarget {
  try {
    const real = fs.realpathSync(given);
    const stat = fs.statSync(real);
    if (stat.isBlockDevice()) return { path: real, isDevice: true, size: deviceSize(stat.rdev) };
    if (stat.isFile()) return { path: real, isDevice: false, size: stat.size };
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    const folder = path.dirname(path.resolve(given));
    // A file there would be in memory, and nobody who names a device wants one.
    if (/^\/dev(?:\/(?!shm(?:\/|$))|$)/.test(fs.existsSync(folder) ? fs.realpathSync(folder) : folder))
      throw new IcepkgError('not-found', `there is no device ${given}`, {
        hint: 'lsblk lists those that there are',
      });
    if (fs.existsSync(folder)) return { path: path.resolve(given), isDevice: false, size: undefined };
  }
  throw new IcepkgError('image-failed', `${given} is no disk and no file`, {
    hint: 'Name a device such as /dev/sdX, or a file',
  });
}

/** `O_EXCL` without `O_CREAT` makes the kernel refuse a device that anybody uses. */
function copy({ image, onProgress, signal }: FlashRequest, target: FlashTarget, total: number): void {
  const { O_RDWR, O_CREAT, O_EXCL } = fs.constants;
  const flags = O_RDWR | (target.isDevice ? O_EXCL : O_CREAT);
  const from = fs.openSync(image, 'r');
  try {
    const to = openTarget(target.path, flags);
    try {
      const buffer = Buffer.allocUnsafe(4 * MIB);
      for (let done = 0; done < total;) {
        if (signal?.aborted === true)
          throw new IcepkgError('cancelled', `cancelled: ${target.path} holds a part of the image only`);
        const read = fs.readSync(from, buffer, 0, buffer.length, done);
        if (read === 0) throw new Error(`${image} ended at ${done} bytes`);
        done += fs.writeSync(to, buffer, 0, read, done);
        onProgress?.('write', done, total);
      }
      fs.fsyncSync(to);
    } finally {
      fs.closeSync(to);
    }
  } finally {
    fs.closeSync(from);
  }
}

function openTarget(file: string, flags: number): number {
  try {
    return fs.openSync(file, flags, 0o644);
  } catch (cause) {
    if (!isErrno(cause, 'EBUSY', 'ETXTBSY', 'EACCES', 'EPERM', 'EROFS')) throw cause;
    const busy = isErrno(cause, 'EBUSY', 'ETXTBSY');
    throw new IcepkgError('image-failed', `${file} cannot be written${busy ? ': it is in use' : ''}`, {
      cause,
      hint: busy ? `Unmount it first: umount ${file}` : 'Only root may write to most devices',
    });
  }
}

function digestOf(
  file: string,
  total: number,
  signal: AbortSignal | undefined,
  told: (done: number) => void = () => undefined,
): string {
  const hash = crypto.createHash('sha256');
  const buffer = Buffer.allocUnsafe(4 * MIB);
  const fd = fs.openSync(file, 'r');
  try {
    for (let done = 0; done < total;) {
      if (signal?.aborted === true) throw new IcepkgError('cancelled', `cancelled while reading ${file}`);
      const read = fs.readSync(fd, buffer, 0, Math.min(buffer.length, total - done), done);
      if (read === 0) break;
      hash.update(buffer.subarray(0, read));
      done += read;
      told(done);
    }
  } finally {
    fs.closeSync(fd);
  }
  return hash.digest('hex');
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

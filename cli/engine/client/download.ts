/** Fetches one file of known size and sha256 to a path, resuming what an earlier run left. */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { RangeRefused } from './http.ts';
import { networkError, type Reply, type Transport } from './transport.ts';

export interface Wanted {
  /** Below the base of the mirror, as it stands in a URL. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** Where it goes; what is incomplete lies beside as `.part`. */
  readonly file: string;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  /** Bytes of the file that are there. */
  readonly onBytes?: (done: number) => void;
  /** Bytes that just came. */
  readonly onReceived?: (bytes: number) => void;
}

/**
 * Downloads from one mirror. The file appears only whole and with the right digest.
 * @throws IcepkgError `network-failed`, or `package-corrupt` where the mirror's file is another
 */
export async function download(
  mirror: Transport,
  wanted: Wanted,
  options: DownloadOptions = {},
): Promise<void> {
  const part = `${wanted.file}.part`;
  try {
    fs.mkdirSync(dirname(wanted.file), { recursive: true });
    const resumed = await fetchPart(mirror, wanted, part, options);
    // What an earlier run left may be of another file: only a fresh copy proves the mirror wrong.
    if (resumed === 'mismatch') await fetchPart(mirror, wanted, part, options);
    fs.renameSync(part, wanted.file);
    fs.rmSync(`${part}.etag`, { force: true });
  } catch (error) {
    throw isErrno(error, 'ENOSPC', 'EDQUOT')
      ? new IcepkgError('disk-full', `no space to download to ${wanted.file}`, {
          hint: 'Free some space (icepkg clean empties the download cache), then run the command again',
          cause: error,
        })
      : error;
  }
}

/** Completes the part file; `mismatch` where it had been resumed and turned out wrong, and is gone now. */
async function fetchPart(
  mirror: Transport,
  wanted: Wanted,
  part: string,
  options: DownloadOptions,
): Promise<'complete' | 'mismatch'> {
  const fd = fs.openSync(part, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW, 0o644);
  try {
    let have = Math.min(fs.fstatSync(fd).size, wanted.size);
    if (have < wanted.size || have === 0) {
      const reply = await openAt(mirror, wanted, { part, have, signal: options.signal });
      if (reply.offset !== have) {
        fs.ftruncateSync(fd, 0);
        have = 0;
      }
      rememberTag(part, reply.etag);
      await receive(fd, reply, { mirror, wanted, have, options });
    } else fs.ftruncateSync(fd, wanted.size);
    if (digestOf(fd) === wanted.sha256 && fs.fstatSync(fd).size === wanted.size) {
      fs.fsyncSync(fd);
      return 'complete';
    }
    forget(part);
    if (have > 0) return 'mismatch';
    throw corrupt(mirror, wanted, 'its sha256 is not the one that the index names');
  } finally {
    fs.closeSync(fd);
  }
}

async function openAt(
  mirror: Transport,
  wanted: Wanted,
  { part, have, signal }: { part: string; have: number; signal: AbortSignal | undefined },
): Promise<Reply> {
  const base = signal === undefined ? {} : { signal };
  const etag = have > 0 ? recallTag(part) : undefined;
  let reply: Reply | undefined;
  try {
    reply = await mirror.get(wanted.path, {
      ...base,
      ...(have > 0 ? { offset: have } : {}),
      ...(etag === undefined ? {} : { ifRange: etag }),
    });
  } catch (error) {
    if (!(error instanceof RangeRefused)) throw error;
    reply = await mirror.get(wanted.path, base);
  }
  if (reply === undefined) throw networkError(`${mirror.addressOf(wanted.path)}: not found`);
  if (reply.total !== undefined && reply.total !== wanted.size) {
    await drop(reply);
    throw corrupt(mirror, wanted, `is ${reply.total} bytes long, expected ${wanted.size}`);
  }
  return reply;
}

interface Receiving {
  readonly mirror: Transport;
  readonly wanted: Wanted;
  readonly have: number;
  readonly options: DownloadOptions;
}

async function receive(
  fd: number,
  reply: Reply,
  { mirror, wanted, have, options }: Receiving,
): Promise<void> {
  let at = have;
  for await (const chunk of reply.body) {
    options.onReceived?.(chunk.length);
    if (at + chunk.length > wanted.size) {
      throw corrupt(mirror, wanted, `is longer than the ${wanted.size} bytes expected`);
    }
    for (let written = 0; written < chunk.length;) {
      written += fs.writeSync(fd, chunk, written, chunk.length - written, at + written);
    }
    at += chunk.length;
    options.onBytes?.(at);
  }
  if (at < wanted.size) throw corrupt(mirror, wanted, `ends after ${at} of ${wanted.size} bytes`);
}

const DIGEST_CHUNK = 256 * 1024;

/** The sha256 of an open file from its start. */
export function digestOf(fd: number): string {
  const hash = crypto.createHash('sha256');
  const room = Buffer.allocUnsafe(DIGEST_CHUNK);
  for (let at = 0; ;) {
    const size = fs.readSync(fd, room, 0, room.length, at);
    if (size === 0) return hash.digest('hex');
    hash.update(room.subarray(0, size));
    at += size;
  }
}

async function drop(reply: Reply): Promise<void> {
  await reply.body[Symbol.asyncIterator]().return?.();
}

function rememberTag(part: string, etag: string | undefined): void {
  if (etag === undefined) fs.rmSync(`${part}.etag`, { force: true });
  else fs.writeFileSync(`${part}.etag`, etag);
}

function recallTag(part: string): string | undefined {
  try {
    const tag = fs.readFileSync(`${part}.etag`, 'latin1');
    return /^"[\x21\x23-\x7e]*"$/.test(tag) ? tag : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function forget(part: string): void {
  fs.rmSync(part, { force: true });
  fs.rmSync(`${part}.etag`, { force: true });
}

const corrupt = (mirror: Transport, wanted: Wanted, problem: string): IcepkgError =>
  new IcepkgError('package-corrupt', `${mirror.addressOf(wanted.path)}: ${problem}`, {
    hint: 'The mirror is damaged or out of date: run icepkg update, or name another mirror in etc/icepkg/repositories.toml',
  });

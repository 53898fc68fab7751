/** How bytes come from a mirror, whatever it is: what every transport offers and how it fails. */
import { IcepkgError } from '#schema/error';

export interface GetRequest {
  /** First byte wanted; the reply may start at 0 all the same. */
  readonly offset?: number;
  /** With `offset`: only if this is still the same file. */
  readonly ifRange?: string;
  readonly signal?: AbortSignal;
}

export interface Reply {
  /** Where `body` starts in the file: what was asked for, or 0. */
  readonly offset: number;
  /** Size of the whole file where the mirror told it. */
  readonly total: number | undefined;
  readonly etag: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface Transport {
  /** The address a path has, for messages. */
  readonly addressOf: (path: string) => string;
  /**
   * Opens a file below the base.
   * @param path relative, percent-encoded where it needs to be
   * @returns `undefined` where the mirror has no such file
   * @throws IcepkgError `network-failed`; worth another attempt where `retryAfter` says so
   */
  readonly get: (path: string, request?: GetRequest) => Promise<Reply | undefined>;
  /** A file that can be read in place, for folders. */
  readonly localFile?: (path: string) => string;
  readonly close: () => void;
}

/** Seconds that a server asked to be left alone for, by the error that says so. */
const TRANSIENT = new WeakMap<Error, number>();

/**
 * An error of the network that another attempt may not meet.
 * @param wait seconds that the server asks to wait before it
 */
export function transient(message: string, cause?: unknown, wait = 0): IcepkgError {
  const error = networkError(message, cause);
  TRANSIENT.set(error, wait);
  return error;
}

export function networkError(message: string, cause?: unknown): IcepkgError {
  return new IcepkgError('network-failed', message, {
    hint: 'Check the connection and the address (a root has its mirrors in etc/icepkg/repositories.toml), then run the command again',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Seconds to wait at least before another attempt; `undefined` where there is no use in one. */
export const retryAfter = (error: unknown): number | undefined =>
  error instanceof Error ? TRANSIENT.get(error) : undefined;

/** Reads a small file whole. @throws IcepkgError where it is longer than `limit` (endless data) */
export async function getBytes(
  transport: Transport,
  path: string,
  limit: number,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const reply = await transport.get(path, signal === undefined ? {} : { signal });
  if (reply === undefined) return undefined;
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of reply.body) {
    size += part.length;
    if (size > limit)
      throw networkError(`${transport.addressOf(path)}: longer than the ${limit} bytes expected`);
    parts.push(part);
  }
  return Buffer.concat(parts, size);
}

/** Several mirrors in order, several attempts each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { IcepkgError } from '#schema/error';
import type { Config, RepositoryConfig } from '../config.ts';
import type { EngineContext } from '../context.ts';
import { folderTransport } from './folder.ts';
import { httpTransport } from './http.ts';
import { retryAfter, type Transport } from './transport.ts';

export interface ClientContext extends Pick<EngineContext, 'offline' | 'onProgress' | 'signal'> {
  readonly config: Pick<Config, 'network'>;
}

const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 10_000;
/** Seconds; a server that asks for more is left alone, and the next mirror asked. */
const LONGEST_WAIT = 60;

/** Opens the mirrors that may be asked: offline those that are folders. Close them after use. */
export function openMirrors(context: ClientContext, repository: RepositoryConfig): readonly Transport[] {
  return repository.mirrors
    .filter((mirror) => !context.offline || !mirror.startsWith('http'))
    .map((mirror) =>
      mirror.startsWith('http') ? httpTransport(mirror, context.config.network) : folderTransport(mirror),
    );
}

/**
 * Runs `operation` with one mirror after the other until it succeeds. What may pass (a lost connection, a busy server)
 * is tried again after a pause that doubles and varies, or as long as the server asks; what the mirror itself does wrong goes to the next mirror.
 * @param what names the thing wanted in the error where all fail
 */
export async function withMirrors<T>(
  context: ClientContext,
  mirrors: readonly Transport[],
  what: string,
  operation: (mirror: Transport) => Promise<T>,
): Promise<T> {
  const failures: IcepkgError[] = [];
  for (const mirror of mirrors) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await operation(mirror);
      } catch (error) {
        if (context.signal?.aborted === true) throw cancelled(error);
        if (!isMirrorFailure(error)) throw error;
        const wait = retryAfter(error);
        if (wait === undefined || wait > LONGEST_WAIT || attempt >= context.config.network.attempts) {
          failures.push(error);
          break;
        }
        await pause(Math.max(wait * 1000, backoff(attempt)), context.signal);
      }
    }
  }
  throw summary(what, failures);
}

function isMirrorFailure(error: unknown): error is IcepkgError {
  if (!(error instanceof IcepkgError)) return false;
  return (
    error.code === 'network-failed' || error.code === 'package-corrupt' || error.code.startsWith('trust-')
  );
}

/** Doubles, and varies so that many clients do not come back at once. */
const backoff = (attempt: number): number =>
  Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw cancelled(error);
  }
}

const cancelled = (cause: unknown): IcepkgError =>
  new IcepkgError('cancelled', 'cancelled while fetching', { cause });

function summary(what: string, failures: readonly IcepkgError[]): IcepkgError {
  const [first, ...others] = failures;
  if (first === undefined) {
    return new IcepkgError('offline-missing', `${what}: not at hand, and every mirror is on the network`, {
      hint: 'Run the command again without --offline',
    });
  }
  if (others.length === 0) return first;
  const text = failures.map((failure) => failure.message).join('; ');
  return new IcepkgError(first.code, `${what}: all ${failures.length} mirrors fail: ${text}`, {
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    cause: first,
  });
}

/**
 * Tells webhooks what waits for them, in order, at least once. A receiver that fails is asked again after a pause that
 * doubles; meanwhile it holds up nobody but itself.
 */
import { createHmac } from 'node:crypto';
import { IcepkgError } from '#schema/error';
import { readEntry, removeEntry, waitingFor, writeEntry, type Entry } from './outbox.ts';
import { readSecret, readWebhooks, shownWebhook, type Webhook } from './settings.ts';

export type DeliveryOutcome = 'delivered' | 'failed' | 'given-up' | 'lost';

export interface DeliveryOptions {
  readonly now?: () => number;
  readonly signal?: AbortSignal;
  readonly onOutcome?: (outcome: DeliveryOutcome, count: number) => void;
  /** Called with a sentence on what went wrong. */
  readonly onProblem?: (problem: string) => void;
  /** Also what failed shortly before. */
  readonly atOnce?: boolean;
}

const ANSWER_MS = 10_000;
const FIRST_PAUSE_MS = 5000;
const LONGEST_PAUSE_MS = 3_600_000;
/** What could not be told for so long is not told any more. */
const GIVE_UP_MS = 86_400_000;

/** Delivers what is due to every webhook of a repository. @throws IcepkgError where its settings cannot be read */
export async function deliverDue(repository: string, options: DeliveryOptions = {}): Promise<void> {
  await Promise.all(readWebhooks(repository).map((webhook) => deliverTo(repository, webhook, options)));
}

/** One after the other: what comes later waits for what failed. */
async function deliverTo(repository: string, webhook: Webhook, options: DeliveryOptions): Promise<void> {
  const { now = Date.now, atOnce = false, onOutcome, onProblem, signal } = options;
  const isOver = (): boolean => signal?.aborted === true;
  for (const name of waitingFor(repository, webhook)) {
    if (isOver()) return;
    const entry = readEntry(repository, webhook, name);
    if (entry === undefined) {
      removeEntry(repository, webhook, name);
      continue;
    }
    if (!atOnce && entry.next > now()) return;
    if (entry.attempts === 0 && entry.lost > 0) {
      onOutcome?.('lost', entry.lost);
      onProblem?.(`${shownWebhook(webhook)}: ${entry.lost} events were given up because too many waited`);
    }
    const failure = await attempt(webhook, entry, { now, signal });
    if (failure !== undefined && isOver()) return;
    if (failure === undefined) {
      removeEntry(repository, webhook, name);
      onOutcome?.('delivered', 1);
      continue;
    }
    const over = failure.final || now() - Date.parse(entry.timestamp) > GIVE_UP_MS;
    onOutcome?.(over ? 'given-up' : 'failed', 1);
    const what = `${shownWebhook(webhook)}: ${entry.type} ${entry.id}: ${failure.reason}`;
    if (over) {
      removeEntry(repository, webhook, name);
      onProblem?.(`${what}; it is not told`);
      continue;
    }
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** entry.attempts);
    writeEntry(repository, webhook, { ...entry, attempts: entry.attempts + 1, next: now() + pause });
    onProblem?.(`${what}; again in ${pause / 1000} s`);
    return;
  }
}

interface Failure {
  readonly reason: string;
  /** True where the receiver wants no more of it. */
  readonly final: boolean;
}

async function attempt(
  { url, secretFile }: Webhook,
  { id, type, timestamp, data }: Entry,
  { now, signal }: { readonly now: () => number; readonly signal: AbortSignal | undefined },
): Promise<Failure | undefined> {
  const limit = AbortSignal.timeout(ANSWER_MS);
  try {
    // Not by its name, which a bundle of a CommonJS module does not have.
    const { request } = (await import('undici')).default;
    const body = JSON.stringify({ type, timestamp, data });
    const { username, password, origin, pathname, search } = new URL(url);
    const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
    const { statusCode, body: answer } = await request(origin + pathname + search, {
      method: 'POST',
      headers: {
        ...(username + password === '' ? {} : { authorization: `Basic ${login.toString('base64')}` }),
        'content-type': 'application/json',
        'user-agent': 'icepkg',
        ...signedHeaders({ id, body, key: readSecret(secretFile), seconds: Math.floor(now() / 1000) }),
      },
      body,
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
    await answer.dump({ limit: 65_536 });
    if (statusCode >= 200 && statusCode < 300) return undefined;
    return { reason: `the receiver answers ${statusCode}`, final: statusCode === 410 };
  } catch (error) {
    if (limit.aborted) return { reason: `no answer within ${ANSWER_MS / 1000} s`, final: false };
    if (error instanceof IcepkgError) return { reason: error.message, final: false };
    if (!(error instanceof Error)) throw error;
    // Never the message, which may hold the address.
    return { reason: 'code' in error ? String(error.code) : error.name, final: false };
  }
}

/** The headers of Standard Webhooks: HMAC-SHA256 over `ID.SECONDS.BODY`. */
export function signedHeaders(of: {
  readonly id: string;
  readonly seconds: number;
  readonly body: string;
  readonly key: Buffer;
}): Record<string, string> {
  const { id, seconds, body, key } = of;
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${signature}`,
  };
}

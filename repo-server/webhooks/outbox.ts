/**
 * What webhooks are still to be told: a file for each event and webhook, so that it outlives the process that published.
 * Whoever serves the repository delivers it; publishing only leaves it here, and fails over nothing of this.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { IcepkgError, isErrno } from '#schema/error';
import { readRepositoryConfig } from '../config.ts';
import { readIfAny, writeDurably } from '../layout.ts';
import { OUTBOX, readWebhooks, type EventName, type Webhook } from './settings.ts';

/** Events that wait for one webhook; beyond it the oldest are given up. */
export const MOST_WAITING = 1000;

const EntrySchema = v.strictObject({
  format: v.literal(1),
  id: v.pipe(v.string(), v.regex(/^evt_[0-9a-f]+$/)),
  type: v.string(),
  timestamp: v.string(),
  data: v.record(v.string(), v.unknown()),
  /** Failed attempts to deliver it, and when to try again, in milliseconds since 1970. */
  attempts: v.number(),
  next: v.number(),
  /** Events before it that were given up because too many waited. */
  lost: v.number(),
});
export type Entry = v.InferOutput<typeof EntrySchema>;

export interface RepositoryEvent {
  readonly type: EventName;
  readonly channel: string;
  /** What the receiver is told besides. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Leaves an event for all webhooks that want it. A disk that is full or settings that are wrong cost the event, not the publish. */
export function announce(
  repository: string,
  { type, channel, data }: RepositoryEvent,
  now: Date = new Date(),
): void {
  try {
    const webhooks = readWebhooks(repository).filter(({ events }) => events.includes(type));
    if (webhooks.length === 0) return;
    const { name } = readRepositoryConfig(repository);
    const id = `evt_${now.getTime().toString(16).padStart(12, '0')}${randomBytes(6).toString('hex')}`;
    const told = { repository: name, channel, ...data };
    for (const webhook of webhooks) {
      const lost = makeRoom(repository, webhook);
      const event = { format: 1, id, type, timestamp: now.toISOString(), data: told } as const;
      writeEntry(repository, webhook, { ...event, attempts: 0, next: 0, lost });
    }
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
  }
}

/** Names of what waits for a webhook, the oldest first. */
export function waitingFor(repository: string, { id }: Pick<Webhook, 'id'>): string[] {
  try {
    return fs
      .readdirSync(join(repository, OUTBOX, id))
      .filter((name) => /^evt_[0-9a-f]+\.json$/.test(name))
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** `undefined` where it is gone or damaged; nobody can deliver it then. */
export function readEntry(repository: string, webhook: Webhook, name: string): Entry | undefined {
  const file = join(repository, OUTBOX, webhook.id, name);
  const bytes = readIfAny(file);
  try {
    return bytes === undefined ? undefined : decode(EntrySchema, parseJson(bytes, file), file);
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

export const writeEntry = (repository: string, { id }: Webhook, entry: Entry): void =>
  writeDurably(join(repository, OUTBOX, id, `${entry.id}.json`), canonicalJson(entry), 0o600);

export const removeEntry = (repository: string, { id }: Webhook, name: string): void =>
  fs.rmSync(join(repository, OUTBOX, id, name), { force: true });

/** @returns how many were given up since the last one that was left */
function makeRoom(repository: string, webhook: Webhook): number {
  const waiting = waitingFor(repository, webhook);
  let lost = 0;
  for (const name of waiting.slice(0, Math.max(0, waiting.length - MOST_WAITING + 1))) {
    lost += 1 + (readEntry(repository, webhook, name)?.lost ?? 0);
    removeEntry(repository, webhook, name);
  }
  return lost;
}

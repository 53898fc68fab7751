/** A bound on the bytes a second that come from a mirror, of all transfers together. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { GetRequest, Reply, Transport } from '#engine/client/transport';

/** Bytes that are let through at once: at low rates a transfer goes on in small steps, not in jumps. */
const MOST_AT_ONCE = 16 * 1024;

/** @param rate bytes a second */
export function limitRate(transport: Transport, rate: number): Transport {
  /** When the bytes that were let through so far have used up their time. */
  let spentUntil = 0;
  const wait = async (bytes: number, signal: AbortSignal | undefined): Promise<void> => {
    const now = performance.now();
    spentUntil = Math.max(spentUntil, now) + (bytes / rate) * 1000;
    if (spentUntil > now) await sleep(spentUntil - now, undefined, signal === undefined ? {} : { signal });
  };
  async function* slowed(body: Reply['body'], signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    for await (const part of body) {
      for (let at = 0; at < part.length; at += MOST_AT_ONCE) {
        const piece = part.subarray(at, at + MOST_AT_ONCE);
        await wait(piece.length, signal);
        yield piece;
      }
    }
  }
  const get = async (path: string, request: GetRequest = {}): Promise<Reply | undefined> => {
    const reply = await transport.get(path, request);
    return reply && { ...reply, body: slowed(reply.body, request.signal) };
  };
  return { ...transport, get };
}

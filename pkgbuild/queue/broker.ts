/**
 * The broker between those who want builds and those who build: BullMQ on a Redis server. A job that a worker took and
 * does not renew, because it died, goes back to the queue. Loaded by those only who use it.
 */
import type * as Bullmq from 'bullmq';
import type { Redis } from 'ioredis';
import { IcepkgError, isErrno } from '#schema/error';

export const QUEUE_NAME = 'icepkg-build';
/** How often a job may lose its worker before it counts as one that kills them. */
export const MOST_DEATHS = 5;

/**
 * Connects to `redis://` or `rediss://`; what is lost later is taken up again.
 * @throws IcepkgError `usage`, or `network-failed` where nobody answers
 */
export async function connect(url: string): Promise<Redis> {
  if (!/^rediss?:\/\//.test(url)) {
    throw new IcepkgError('usage', `${JSON.stringify(withoutPassword(url))} is no address of a queue`, {
      hint: 'Name a Redis server, as in redis://127.0.0.1:6379',
    });
  }
  const { Redis: Client } = await loaded(() => import('ioredis'));
  let connected = false;
  const client = new Client(url, {
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: (times) => (connected ? Math.min(times * 200, 5000) : null),
  });
  // Each failure is told by the call that waits for it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    connected = true;
    return client;
  } catch (cause) {
    client.disconnect();
    throw new IcepkgError('network-failed', `the queue at ${withoutPassword(url)} does not answer`, {
      hint: 'Check the address and that the Redis server runs',
      cause,
    });
  }
}

/** @throws IcepkgError `tool-missing` */
export const loadBullmq = (): Promise<typeof Bullmq> => loaded(() => import('bullmq'));

async function loaded<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (!isErrno(cause, 'ERR_MODULE_NOT_FOUND')) throw cause;
    throw new IcepkgError('tool-missing', 'build queues need the npm packages bullmq and ioredis', {
      hint: 'Install them beside icepkg: npm install bullmq ioredis',
      cause,
    });
  }
}

/** Up to the last `@`: passwords may hold one, or a slash. */
const withoutPassword = (url: string): string => url.replace(/\/\/.*@/s, '//');

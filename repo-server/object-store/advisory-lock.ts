/**
 * Keeps publishers to one store apart where the store itself cannot: an advisory lock of a PostgreSQL server, which drops it
 * with the session that holds it. Loaded by those only who use it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Pg from 'pg';
import { sha256 } from '#schema/digest';
import { IcepkgError, isErrno } from '#schema/error';
import type { LockOptions } from '../lock.ts';

const PAUSE_MS = 200;
const CONNECT_MS = 10_000;

export interface AdvisoryLock extends LockOptions {
  /** `postgresql://USER@HOST/DATABASE`; what it does not say comes from the environment of PostgreSQL's own clients. */
  readonly database: string;
  /** What is locked: all who give the same text keep each other out. */
  readonly name: string;
}

/** Throws where the lock is no longer held. */
export type StillHeld = () => Promise<void>;

/**
 * Calls `work` while nobody else has the lock.
 * @throws IcepkgError `root-locked` where somebody else has it after the wait, `network-failed`, `usage`, `tool-missing`
 */
export async function withAdvisoryLock<T>(
  lock: AdvisoryLock,
  work: (held: StillHeld) => Promise<T>,
): Promise<T> {
  const client = await connect(lock.database);
  const lost = (cause: unknown): IcepkgError =>
    new IcepkgError(
      'network-failed',
      `the connection to ${shown(lock.database)} was lost, and the lock with it`,
      {
        hint: 'Publish again: it goes on where it stopped',
        cause,
      },
    );
  // Each failure is told by the call that meets it.
  client.on('error', () => undefined);
  const ask = (text: string): Promise<boolean> =>
    client.query<{ readonly yes: boolean }>(text, [keyOf(lock.name)]).then(
      ({ rows }) => rows[0]?.yes === true,
      (cause: unknown) => {
        throw lost(cause);
      },
    );
  try {
    if (!(await take(ask, lock)))
      throw new IcepkgError('root-locked', `${lock.name} is being published to by somebody else`, {
        hint: 'Wait for it to finish, then try again',
      });
    return await work(async () => {
      if (!(await ask(HOLDS))) throw lost(undefined);
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

const TRY = 'SELECT pg_try_advisory_lock($1::bigint) AS yes';
const HOLDS = `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
  AND objsubid = 1 AND ((classid::bigint << 32) | objid::bigint) = $1::bigint) AS yes`;

async function take(
  ask: (text: string) => Promise<boolean>,
  { waitSeconds = 0, onWait }: LockOptions,
): Promise<boolean> {
  const deadline = Date.now() + waitSeconds * 1000;
  let taken = await ask(TRY);
  if (!taken && waitSeconds > 0) onWait?.();
  while (!taken && Date.now() < deadline) {
    await sleep(PAUSE_MS);
    taken = await ask(TRY);
  }
  return taken;
}

/** The number that PostgreSQL locks: decimal, signed, of 64 bits. */
const keyOf = (name: string): string =>
  BigInt.asIntN(64, BigInt(`0x${sha256(Buffer.from(`icepkg ${name}`)).slice(0, 16)}`)).toString();

async function connect(database: string): Promise<Pg.Client> {
  if (!/^postgres(?:ql)?:\/\//.test(database) || !URL.canParse(database)) {
    throw new IcepkgError(
      'usage',
      `${JSON.stringify(shown(database))} is no address of a PostgreSQL database`,
      {
        hint: 'Name one as in postgresql://publisher@10.0.0.3/locks',
      },
    );
  }
  const { default: pg } = await loaded();
  const client = new pg.Client({
    connectionString: database,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    application_name: 'icepkg',
  });
  try {
    await client.connect();
    return client;
  } catch (cause) {
    await client.end().catch(() => undefined);
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    throw new IcepkgError('network-failed', `no lock from ${shown(database)}${why}`, {
      hint: 'Check the address, the user and the password (PGPASSWORD or ~/.pgpass), and that the server runs',
      cause,
    });
  }
}

async function loaded(): Promise<typeof Pg> {
  try {
    return await import('pg');
  } catch (cause) {
    if (!isErrno(cause, 'ERR_MODULE_NOT_FOUND')) throw cause;
    throw new IcepkgError('tool-missing', 'a lock on a PostgreSQL server needs the npm package pg', {
      hint: 'Install it beside icepkg: npm install pg',
      cause,
    });
  }
}

/** Without user and password, which may hold an @ or a slash, and without parameters. */
const shown = (database: string): string => database.replace(/\/\/.*@/s, '//').replace(/\?.*$/s, '');

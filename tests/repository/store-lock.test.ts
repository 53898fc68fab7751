/** Publishing to a store that knows no conditional writes: the lock of a real PostgreSQL server keeps publishers apart. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { addPackages } from '#repo-server/add';
import { withAdvisoryLock } from '#repo-server/object-store/advisory-lock';
import { uploadRepository } from '#repo-server/object-store/upload-repository';
import { publish } from '#repo-server/publish';
import { startPlainStore, type PlainStore } from '../support/plain-store.ts';
import { startPostgres, wantsPostgres, type Postgres } from '../support/postgres.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

test('what is no database, and one that does not answer, are named without the password', async () => {
  const lock = (database: string): Promise<void> =>
    withAdvisoryLock({ database, name: 'x' }, () => Promise.resolve());
  await expect(lock('mysql://user:sec/r@et@host/x')).rejects.toMatchObject({
    code: 'usage',
    message: expect.not.stringMatching(/sec|et@/),
  });
  await expect(lock('postgresql://user:secret@127.0.0.1:1/x')).rejects.toMatchObject({
    code: 'network-failed',
    message: expect.stringMatching(/^no lock from postgresql:\/\/127\.0\.0\.1:1\/x/),
  });
});

describe.runIf(wantsPostgres)('with a server', () => {
  let postgres: Postgres;
  let depot: Depot;
  let plain: PlainStore;
  let objects: Map<string, Buffer>;
  beforeAll(async () => {
    postgres = await startPostgres();
  }, 60_000);
  afterAll(() => postgres.stop());
  beforeEach(async () => {
    plain = await startPlainStore();
    objects = plain.objects;
    depot = await makeDepot();
    await depot.publish({ name: 'app' });
  });
  afterEach(() => {
    plain.stop();
    depot.dispose();
  });

  const store = () => plain.open();
  const upload = (repository: string, waitSeconds = 60) =>
    uploadRepository(repository, store(), { lockDatabase: postgres.url, waitSeconds });
  const offered = async (): Promise<string[]> =>
    (await loadIndexes(depot.root({ mirror: `${plain.address}/bucket` }), { refresh: 'force' }))
      .map(({ record }) => record.name)
      .sort();

  test('of two publishers that come from the same state one wins, and the other changes nothing', async () => {
    await upload(depot.repository);
    const other = join(depot.folder, 'other');
    cpSync(depot.repository, other, { recursive: true });
    await depot.publish({ name: 'mine' });
    await addPackages(other, await depot.pack({ name: 'theirs' }));
    await publish(other, { keys: [depot.key] });
    const both = await Promise.allSettled([upload(depot.repository), upload(other)]);
    expect(both.filter(({ status }) => status === 'rejected')).toMatchObject([
      {
        reason: {
          code: 'verify-failed',
          message: expect.stringMatching(/timestamp\.json: serves what did not come/),
        },
      },
    ]);
    expect(await offered()).toEqual(['app', both[0]?.status === 'fulfilled' ? 'mine' : 'theirs']);
  });

  test('while somebody else has the lock nothing is written', async () => {
    await withAdvisoryLock({ database: postgres.url, name: 's3://bucket/' }, async () => {
      await expect(upload(depot.repository, 0)).rejects.toMatchObject({ code: 'root-locked' });
    });
    expect([...objects.keys()]).toEqual([]);
    await upload(depot.repository, 0);
    expect(await offered()).toEqual(['app']);
  });

  test('where the lock is lost on the way clients see the old state, and the next upload goes on', async () => {
    await upload(depot.repository);
    await depot.publish({ name: 'later' });
    const losing = store();
    const put = losing.put.bind(losing);
    losing.put = async (path, body, options) => {
      await endSessions();
      return put(path, body, options);
    };
    const lost = uploadRepository(depot.repository, losing, { lockDatabase: postgres.url });
    await expect(lost).rejects.toMatchObject({ code: 'network-failed', message: /and the lock with it/ });
    expect(await offered()).toEqual(['app']);
    await upload(depot.repository);
    expect(await offered()).toEqual(['app', 'later']);
  });

  /** As the server does when it is restarted. */
  async function endSessions(): Promise<void> {
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    const others = `pid <> pg_backend_pid() AND application_name = 'icepkg'`;
    await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`);
    for (let left = 1; left > 0; await sleep(20)) {
      const { rowCount } = await client.query(`SELECT 1 FROM pg_stat_activity WHERE ${others}`);
      left = rowCount ?? 0;
    }
    await client.end();
  }
});

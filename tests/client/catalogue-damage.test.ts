/** The catalogue of an index is damaged in a way that its database does not notice. */
import Database from 'better-sqlite3';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { makeDepot } from '../support/repository.ts';

test('no record that it misplaces is used, and it is made anew once it is gone', async () => {
  const depot = await makeDepot();
  try {
    await depot.publish({ name: 'hello' }, { name: 'more' });
    const context = depot.root();
    await loadIndexes(context, { refresh: 'force' });
    const file = join(context.root, 'var/cache/icepkg/index/main/catalogue.sqlite');
    for (const change of ['start = start + 1', 'start = 1000000000', 'start = -5', 'length = 10']) {
      const database = new Database(file);
      database.exec(`UPDATE package SET ${change}`);
      database.close();
      await expect(loadIndexes(context, { refresh: 'force' })).rejects.toMatchObject({
        code: 'format-invalid',
      });
    }
    rmSync(file);
    expect(await loadIndexes(context, { refresh: 'force' })).toHaveLength(2);
  } finally {
    depot.dispose();
  }
});

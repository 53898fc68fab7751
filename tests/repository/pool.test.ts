/** The notes on all packages of a repository: written as they were read, and refused where they are damaged. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addPackages } from '#repo-server/add';
import { readPool, writePool } from '#repo-server/pool';
import { publish } from '#repo-server/publish';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
const file = (): string => join(depot.repository, '.icepkg/pool.json');
beforeEach(async () => {
  depot = await makeDepot();
});
afterEach(() => depot.dispose());

test('it is JSON with a line for each record, and stays the same byte for byte', async () => {
  await addPackages(depot.repository, await depot.pack({ name: 'zlib', description: 'says "},"' }));
  await depot.publish({ name: 'bash' }, { name: 'c++' });
  await addPackages(depot.repository, await depot.pack({ name: 'later' }));
  const before = readFileSync(file(), 'utf8');
  const { packages, staged } = JSON.parse(before) as { packages: object; staged: object };
  expect(Object.keys(packages)).toEqual(
    ['bash', 'c++', 'later', 'zlib'].map((name) => `packages/x86_64/${name}-1.0.0-r0.x86_64.icepkg`),
  );
  expect(staged).toEqual({
    stable: { add: ['packages/x86_64/later-1.0.0-r0.x86_64.icepkg'], remove: [] },
  });
  expect(before.split('\n')).toHaveLength(6);
  const pool = readPool(depot.repository);
  expect(pool.records.get('packages/x86_64/zlib-1.0.0-r0.x86_64.icepkg')).toMatchObject({ name: 'zlib' });
  writePool(depot.repository, pool);
  expect(readFileSync(file(), 'utf8')).toBe(before);
});

test('one that is cut short or no JSON is named, and nothing is published', async () => {
  await depot.publish({ name: 'bash' });
  const whole = readFileSync(file());
  for (const bytes of [whole.subarray(0, whole.length - 3), whole.subarray(0, 60), Buffer.from('{}')]) {
    writeFileSync(file(), bytes);
    await expect(publish(depot.repository, { keys: [depot.key] })).rejects.toMatchObject({
      code: 'format-invalid',
      message: expect.stringContaining('pool.json') as string,
    });
    expect(readFileSync(file()).equals(bytes)).toBe(true);
  }
});

/** Repositories made so that no answer is found, and none is explained in a sentence. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { install } from '../declared/support.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
  const names = Array.from({ length: 60 }, (_, index) => `p${index}`);
  await depot.publish(...names.map((name) => ({ name, provides: ['cmd:x'], depends: ['missing'] })));
});
afterAll(() => depot.dispose());

test('the explanation of what cannot be is short enough to read', async () => {
  const error: unknown = await install(depot.root(), 'cmd:x').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'unsolvable' });
  const lines = String(error).split('\n');
  expect(lines.length).toBeLessThanOrEqual(41);
  expect(lines.some((line) => /^\(\d+ more reasons\)$/.test(line))).toBe(true);
});

/** Package files that are named on the command line are held against the size that their headers say. */
import { appendFileSync, statSync, truncateSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileInfo } from '#engine/queries/info';
import { installRequest } from '#engine/requests';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
});
afterAll(() => depot.dispose());

test.each([
  [
    'cut short',
    (file: string): void => truncateSync(file, statSync(file).size - 1),
    /is cut short: \d+ of \d+/,
  ],
  ['longer', (file: string): void => appendFileSync(file, 'more'), /4 bytes follow the last frame/],
])('a file that is %s is refused', async (_how, damage, message) => {
  const [file = ''] = await depot.pack({ name: 'demo', files: { 'usr/share/demo': 'text' } });
  expect(fileInfo(file).versions[0]?.record.name).toBe('demo');
  damage(file);
  expect(() => fileInfo(file)).toThrow(message);
  expect(() => installRequest([file])).toThrow(message);
});

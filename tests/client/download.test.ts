/** Packages as files: what is named, and what that needs. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { download, type DownloadRequest } from '#engine/queries/download';
import { install } from '../declared/support.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish(
    { name: 'libc', provides: ['so:libc.so'], files: { 'lib/libc.so': 'x' } },
    { name: 'shell', depends: ['so:libc.so'] },
    { name: 'app', version: '1.0.0-r0', depends: ['shell', 'cmd:awk'] },
    { name: 'app', version: '2.0.0-r0', depends: ['shell', 'cmd:awk'] },
    { name: 'gawk', provides: ['cmd:awk'], providerPriority: 1 },
    { name: 'mawk', provides: ['cmd:awk'] },
    { name: 'broken', depends: ['missing'] },
  );
});
afterAll(() => depot.dispose());

let count = 0;
async function downloaded(
  words: readonly string[],
  dependencies: DownloadRequest['dependencies'],
  installed: readonly string[] = [],
): Promise<readonly string[]> {
  const context = depot.root();
  if (installed.length > 0) await install(context, ...installed);
  const folder = join(depot.folder, `downloads-${++count}`);
  const files = await download(context, words, { folder, dependencies });
  expect(files).toHaveLength(readdirSync(folder).length);
  return readdirSync(folder).map((file) => file.replace(/-r0\..*/, ''));
}

test('what is named comes alone, in the newest version', async () => {
  expect(await downloaded(['app'], undefined)).toEqual(['app-2.0.0']);
  expect(await downloaded(['app@^1', 'shell'], undefined)).toEqual(['app-1.0.0', 'shell-1.0.0']);
});

test('what the root lacks comes along', async () => {
  expect(await downloaded(['app'], 'missing', ['shell', 'mawk'])).toEqual(['app-2.0.0']);
  expect(await downloaded(['app'], 'missing', ['shell'])).toEqual(['app-2.0.0', 'gawk-1.0.0']);
});

test('what is named comes also where the root has it', async () => {
  expect(await downloaded(['shell'], 'missing', ['app'])).toEqual(['shell-1.0.0']);
});

test('everything comes along for a root without packages', async () => {
  expect(await downloaded(['app'], 'everything', ['shell', 'mawk'])).toEqual([
    'app-2.0.0',
    'gawk-1.0.0',
    'libc-1.0.0',
    'shell-1.0.0',
  ]);
});

test('what cannot be resolved is told, and nothing is written', async () => {
  const folder = join(depot.folder, 'nothing');
  const attempt = download(depot.root(), ['broken'], { folder, dependencies: 'missing' });
  await expect(attempt).rejects.toMatchObject({ code: 'unsolvable' });
  expect(() => readdirSync(folder)).toThrow('ENOENT');
});

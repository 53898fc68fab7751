/** Looking through the files of packages: read once and kept, also over a start, and its end. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removePackages } from '#repo-server/add';
import { FileIndex, type FileSearch } from '#repo-server/web/file-index';
import { Library } from '#repo-server/web/library';
import { PathStore } from '#repo-server/web/path-store';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
beforeEach(async () => {
  depot = await makeDepot();
  await depot.publish({ name: 'app', files: { 'usr/bin/app': 'app' } });
});
afterEach(() => depot.dispose());

const notes = (name: string): string => join(depot.repository, '.icepkg', name);
const DATABASE = 'paths-1.sqlite';

async function search(index: FileIndex, words: string): Promise<FileSearch> {
  const { channels } = await new Library(depot.repository, () => Promise.resolve()).view();
  const [channel] = channels;
  if (channel === undefined) throw new Error('nothing is served');
  return index.search(channels, channel, words);
}

async function searchOnce(words: string): Promise<FileSearch> {
  const index = new FileIndex(depot.repository);
  try {
    return await search(index, words);
  } finally {
    index.stop();
  }
}

test('paths are found once their package was read, and nothing is read after the end', async () => {
  expect(await searchOnce('bin/app')).toMatchObject({ read: 1, hits: [{ path: 'usr/bin/app' }] });
  rmSync(notes(DATABASE), { force: true });
  const ended = new FileIndex(depot.repository);
  ended.stop();
  expect(await search(ended, 'bin/app')).toMatchObject({ read: 0, of: 1, hits: [] });
});

test('after a start nothing is read again, and what is served no more is forgotten', async () => {
  await searchOnce('app');
  const folder = join(depot.repository, 'packages/x86_64');
  renameSync(folder, `${folder}.away`);
  expect(await searchOnce('/usr/b')).toMatchObject({ read: 1, hits: [{ path: 'usr/bin/app' }] });
  renameSync(`${folder}.away`, folder);
  await removePackages(depot.repository, ['app']);
  await depot.publish({ name: 'tool', files: { 'usr/bin/tool': 'tool' } });
  expect(await searchOnce('usr/bin')).toMatchObject({ read: 1, of: 1, hits: [{ path: 'usr/bin/tool' }] });
  expect(await searchOnce('bin/app')).toMatchObject({ hits: [] });
});

test('a package that is not there yet is read when it is', async () => {
  const folder = join(depot.repository, 'packages/x86_64');
  renameSync(folder, `${folder}.away`);
  expect(await searchOnce('app')).toMatchObject({ read: 1, hits: [] });
  renameSync(`${folder}.away`, folder);
  expect((await searchOnce('app')).hits).toHaveLength(1);
});

test('whatever is wrong with the notes, files are found', async () => {
  await searchOnce('app');
  for (const name of readdirSync(notes('.'))) if (name.startsWith(DATABASE)) rmSync(notes(name));
  writeFileSync(notes(DATABASE), 'this is no database, however long it may be'.repeat(100));
  expect((await searchOnce('app')).hits).toHaveLength(1);
  expect(readFileSync(notes(DATABASE)).subarray(0, 6).toString()).toBe('SQLite');
});

test('damage that shows only as one reads is mended without another start', async () => {
  await searchOnce('app');
  const bytes = readFileSync(notes(DATABASE));
  // The second page holds the paths; what opening reads is in others.
  writeFileSync(notes(DATABASE), bytes.fill(0, 4096, 8192));
  const index = new FileIndex(depot.repository);
  for (let again = 0; again < 2; again++)
    expect(await search(index, 'app')).toMatchObject({ read: 1, hits: [{ path: 'usr/bin/app' }] });
  index.stop();
});

test('very many packages are looked through piece by piece', async () => {
  const store = await PathStore.open(notes(DATABASE));
  try {
    const packages = Array.from({ length: 1200 }, (_, index) => ({
      manifest: String(index),
      paths: `\nusr/share/${index}\nusr/lib/${index % 7}\n`,
    }));
    expect(store.add(packages)).toBe(true);
    const found: string[] = [];
    for await (const { manifest } of store.holding('usr/lib/3\n')) found.push(manifest);
    expect(found).toEqual(packages.map(({ manifest }) => manifest).filter((one) => Number(one) % 7 === 3));
  } finally {
    store.close();
  }
});

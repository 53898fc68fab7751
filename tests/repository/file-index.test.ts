/** Looking through the files of packages in the background, and its end. */
import { expect, test } from 'vitest';
import { FileIndex } from '#repo-server/web/file-index';
import { Library } from '#repo-server/web/library';
import { makeDepot } from '../support/repository.ts';

test('paths are found once their package was read, and nothing is read after the end', async () => {
  const depot = await makeDepot();
  try {
    await depot.publish({ name: 'app', files: { 'usr/bin/app': 'app' } });
    const { channels } = await new Library(depot.repository, () => Promise.resolve()).view();
    const [channel] = channels;
    if (channel === undefined) throw new Error('nothing is served');
    const index = new FileIndex(depot.repository);
    expect(await index.search(channel, 'bin/app')).toMatchObject({
      read: 1,
      hits: [{ path: 'usr/bin/app' }],
    });
    const ended = new FileIndex(depot.repository);
    ended.stop();
    expect(await ended.search(channel, 'bin/app')).toMatchObject({ read: 0, of: 1, hits: [] });
  } finally {
    depot.dispose();
  }
});

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateKey } from '#schema/keys';
import { openTrustStore, type TrustStore } from '#engine/trust/store';
import { refreshTrust } from '#engine/trust/updater';
import { key, metadataOf, rootOf, type Online } from './metadata.ts';

const NOW = new Date('2030-01-01T00:00:00Z');
let directory: string;
let store: TrustStore;
let files: Map<string, Uint8Array>;

function publish(version: number, options: { by?: Online; expires?: string } = {}): void {
  for (const [name, bytes] of metadataOf(version, options)) files.set(name, bytes);
}

const refresh = (now = NOW) =>
  refreshTrust({
    store,
    now,
    fetcher: { base: 'mirror', fetch: (name) => Promise.resolve(files.get(name)) },
  });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'icepkg-trust-'));
  store = openTrustStore(directory);
  files = new Map();
  store.write('root', rootOf(1));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('follows a repository from version to version', async () => {
  publish(1);
  await expect(refresh()).resolves.toMatchObject({ targets: { version: 1 } });
  publish(2);
  await expect(refresh()).resolves.toMatchObject({ targets: { version: 2 } });
});

test('refuses an older timestamp', async () => {
  publish(2);
  await refresh();
  publish(1);
  await expect(refresh()).rejects.toMatchObject({ code: 'trust-rollback' });
});

test('refuses expired metadata, also where the clock was set back', async () => {
  publish(1, { expires: '2030-01-02T00:00:00Z' });
  await refresh(new Date('2030-01-01T12:00:00Z'));
  publish(2, { expires: '2030-01-01T06:00:00Z' });
  await expect(refresh(new Date('2029-01-01T00:00:00Z'))).rejects.toMatchObject({ code: 'trust-expired' });
});

test('refuses a timestamp that has expired since it was taken', async () => {
  publish(1, { expires: '2030-01-02T00:00:00Z' });
  await refresh();
  await expect(refresh(new Date('2030-01-03T00:00:00Z'))).rejects.toMatchObject({ code: 'trust-expired' });
});

test('refuses metadata of a key that root does not name', async () => {
  publish(1, { by: generateKey() });
  await expect(refresh()).rejects.toMatchObject({ code: 'trust-failed' });
});

test('takes lower versions after the keys were rotated, and only then', async () => {
  publish(100);
  await refresh();
  const fresh = generateKey();
  files.set('2.root.json', rootOf(2, fresh));
  publish(3, { by: fresh });
  await expect(refresh()).resolves.toMatchObject({ targets: { version: 3 } });
  expect(existsSync(join(directory, 'rotation'))).toBe(false);
});

test.each(['timestamp', 'snapshot'])(
  'takes lower versions after the key of %s alone was rotated',
  async (role) => {
    publish(100);
    await refresh();
    const online: Online = { timestamp: key, snapshot: key, [role]: generateKey() };
    files.set('2.root.json', rootOf(2, online));
    publish(3, { by: online });
    await expect(refresh()).resolves.toMatchObject({ targets: { version: 3 } });
  },
);

test('refuses lower versions after a root that takes no key away', async () => {
  publish(100);
  await refresh();
  files.set('2.root.json', rootOf(2));
  publish(3);
  await expect(refresh()).rejects.toMatchObject({ code: 'trust-rollback' });
});

test('refuses a root that skips a version', async () => {
  publish(1);
  files.set('2.root.json', rootOf(3));
  await expect(refresh()).rejects.toMatchObject({ code: 'trust-rollback' });
});

test('refuses what is no JSON with a hint', async () => {
  files.set('timestamp.json', Buffer.from('<html>log in</html>'));
  await expect(refresh()).rejects.toMatchObject({
    code: 'trust-failed',
    message: expect.stringContaining('mirror/timestamp.json'),
  });
});

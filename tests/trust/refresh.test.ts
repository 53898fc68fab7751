import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateKey, keyId, type PrivateKey } from '#schema/keys';
import { signMetadata } from '#schema/tuf/metadata';
import { openTrustStore, type TrustStore } from '#engine/trust/store';
import { refreshTrust } from '#engine/trust/updater';

const NOW = new Date('2030-01-01T00:00:00Z');
const LATER = '2030-02-01T00:00:00Z';
const key = generateKey();
let directory: string;
let store: TrustStore;
let files: Map<string, Uint8Array>;

const common = (version: number, expires = LATER) => ({ spec_version: '1.0.33', version, expires });
const role = (keys: PrivateKey[]) => ({ keyids: keys.map((k) => keyId(k.public)), threshold: 1 });

function rootOf(version: number, floorKey = key): Uint8Array {
  const roles = {
    root: role([key]),
    timestamp: role([floorKey]),
    snapshot: role([floorKey]),
    targets: role([key]),
  };
  const keys = Object.fromEntries([key, floorKey].map((k) => [keyId(k.public), k.public]));
  return signMetadata({ _type: 'root', ...common(version), consistent_snapshot: true, keys, roles }, [key]);
}

function publish(version: number, { by = key, expires = LATER } = {}): void {
  const meta = (name: string) => ({ [name]: { version } });
  files.set(
    'timestamp.json',
    signMetadata({ _type: 'timestamp', ...common(version, expires), meta: meta('snapshot.json') }, [by]),
  );
  files.set(
    `${version}.snapshot.json`,
    signMetadata({ _type: 'snapshot', ...common(version), meta: meta('targets.json') }, [by]),
  );
  files.set(
    `${version}.targets.json`,
    signMetadata({ _type: 'targets', ...common(version), targets: {} }, [key]),
  );
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

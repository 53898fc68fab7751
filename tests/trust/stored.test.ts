/** What a trust store holds counts for no more than what a mirror sends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadTrust } from '#engine/trust/load-trust';
import { openTrustStore, type TrustStore } from '#engine/trust/store';
import { unchangedTrust } from '#engine/trust/unchanged';
import { sha256 } from '#schema/digest';
import { generateKey, keyId } from '#schema/keys';
import { signMetadata } from '#schema/tuf/metadata';

const NOW = new Date('2030-01-01T00:00:00Z');
const ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;
type Role = (typeof ROLES)[number];
const key = generateKey();
let directory: string;
let store: TrustStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'icepkg-stored-'));
  store = openTrustStore(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Stored {
  readonly expired?: Role;
  /** Version 5 without. */
  readonly versions?: Partial<Record<Role, number>>;
  /** Not what the parent's hash tells of. */
  readonly tampered?: Role;
  readonly unnamed?: true;
}

/** A store whose timestamp and snapshot name version 5 with the hash. */
function fill({ expired, versions = {}, tampered, unnamed }: Stored): void {
  const common = (type: Role, version = versions[type] ?? 5): object => ({
    _type: type,
    spec_version: '1.0.33',
    version,
    expires: expired === type ? '2029-12-31T00:00:00Z' : '2030-02-01T00:00:00Z',
  });
  const signed = (type: Role, more: object): Uint8Array =>
    signMetadata({ ...common(type), ...more, ...(tampered === type ? { tampered: true } : {}) }, [key]);
  const named = (type: Role, more: object): object => ({
    version: 5,
    hashes: { sha256: sha256(signMetadata({ ...common(type), ...more }, [key])) },
  });
  const role = { keyids: [keyId(key.public)], threshold: 1 };
  const targets = { targets: {} };
  const snapshot = { meta: unnamed === true ? {} : { 'targets.json': named('targets', targets) } };
  const roles = Object.fromEntries(ROLES.map((name) => [name, role]));
  store.write('root', signed('root', { keys: { [keyId(key.public)]: key.public }, roles }));
  store.write('targets', signed('targets', targets));
  store.write('snapshot', signed('snapshot', snapshot));
  store.write('timestamp', signed('timestamp', { meta: { 'snapshot.json': named('snapshot', snapshot) } }));
}

test('is trusted where all of it is current', () => {
  fill({});
  expect(loadTrust(store, NOW)).toMatchObject({ targets: { version: 5 } });
});

test.each(ROLES)('counts for nothing where %s has expired', (expired) => {
  fill({ expired });
  expect(() => loadTrust(store, NOW)).toThrow(expect.objectContaining({ code: 'trust-expired' }));
});

test.each<[string, Stored]>([
  ['a snapshot newer than the timestamp names', { versions: { snapshot: 6 } }],
  ['targets newer than the snapshot names', { versions: { targets: 6 } }],
  ['a snapshot of other bytes', { tampered: 'snapshot' }],
  ['targets of other bytes', { tampered: 'targets' }],
  ['targets that the snapshot does not name', { unnamed: true }],
])('counts for nothing with %s', (_, stored) => {
  fill(stored);
  expect(() => loadTrust(store, NOW)).toThrow(expect.objectContaining({ code: 'trust-failed' }));
});

test.each<[string, Stored, boolean]>([
  ['all of it is there', {}, true],
  ['the snapshot is older than the timestamp names', { versions: { snapshot: 4 } }, false],
  ['the targets are older than the snapshot names', { versions: { targets: 4 } }, false],
])('an unchanged timestamp tells whether anything is new: %s', async (_, stored, known) => {
  fill(stored);
  const bytes = store.read('timestamp');
  const fetcher = { base: 'mirror', fetch: () => Promise.resolve(bytes) };
  const trusted = await unchangedTrust({ store, fetcher, now: NOW });
  expect(trusted !== undefined).toBe(known);
  expect(store.clockFloor()).toEqual(known ? NOW : new Date(0));
});

/** The client workflow from the first root on, and metadata that is wrong in one way each. */
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { scenario } from './scenario.ts';
import { makeSigner } from './signers.ts';
import { TOP_LEVEL } from './simulator.ts';

const FIRST_REQUESTS = ['root 2', 'timestamp', 'snapshot 1', 'targets 1'];
const ALL = { root: 1, snapshot: 1, targets: 1, timestamp: 1 };

scenario('a refresh asks for each role once, in order', async ({ repo, initialized: client }) => {
  expect(await client.refresh()).toBe(0);
  expect(repo.requests).toEqual(FIRST_REQUESTS);
  expect([...repo.agents]).toEqual(['icepkg']);
});

scenario('the program that the public suite calls', async ({ repo, initialized: client }) => {
  client.program = fileURLToPath(new URL('./client', import.meta.url));
  expect(await client.refresh()).toBe(0);
  expect(repo.requests).toEqual(FIRST_REQUESTS);
  expect(client.trusted()).toEqual(ALL);
});

scenario('what is trusted are the very bytes that were served', async ({ repo, initialized: client }) => {
  const [timestamp] = repo.published.get('timestamp') ?? [];
  repo.replaceLatest('timestamp', Buffer.concat([timestamp ?? Buffer.alloc(0), Buffer.from(' \n ')]));
  expect(await client.refresh()).toBe(0);
  for (const role of ['root', ...TOP_LEVEL]) expect(client.bytes(role).equals(repo.latest(role))).toBe(true);
});

scenario('a download refreshes first', async ({ repo, initialized: client }) => {
  expect(await client.download('no such artifact')).toBe(1);
  expect(repo.requests).toEqual(FIRST_REQUESTS);
  expect(client.trusted()).toEqual(ALL);
});

scenario('an initial root without a version is refused before any request', async ({ repo, client }) => {
  repo.tamper('root', ({ signed }) => Reflect.deleteProperty(signed, 'version'));
  await client.init(repo.latest('root'));
  expect(await client.refresh()).toBe(1);
  expect(repo.requests).toEqual([]);
});

scenario('an initial root with another signature is refused before any request', async ({ repo, client }) => {
  const other = makeSigner().sign(Buffer.from('something else'));
  repo.tamper('root', ({ signatures }) => {
    for (const signature of signatures) signature.sig = other;
  });
  await client.init(repo.latest('root'));
  expect(await client.refresh()).toBe(1);
  expect(repo.requests).toEqual([]);
});

scenario.for([
  ['root', { root: 1 }],
  ['timestamp', { root: 2 }],
  ['snapshot', { root: 2, timestamp: 2 }],
  ['targets', { root: 2, snapshot: 2, timestamp: 2 }],
] as const)('unsigned %s', async ([role, trusted], { repo, initialized: client }) => {
  repo.dropSigner(role);
  repo.publish('root', ...TOP_LEVEL);
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual(trusted);
});

scenario('a root of another version than its name says', async ({ repo, initialized: client }) => {
  repo.root.version++;
  repo.publish('root');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 1 });
});

scenario('a snapshot of another version than the timestamp says', async ({ repo, initialized: client }) => {
  repo.snapshot.version++;
  repo.publish('snapshot');
  repo.timestamp.meta['snapshot.json'] = { version: 2 };
  repo.publish('timestamp');
  expect(await client.refresh()).toBe(1);
  expect(repo.requests.at(-1)).toBe('snapshot 2');
  expect(client.trusted()).toEqual({ root: 1, timestamp: 2 });
});

scenario('targets of another version than the snapshot says', async ({ repo, initialized: client }) => {
  repo.targets.version++;
  repo.publish('targets');
  repo.snapshot.meta['targets.json'] = { version: 2 };
  repo.publish('snapshot', 'timestamp');
  expect(await client.refresh()).toBe(1);
  expect(repo.requests.at(-1)).toBe('targets 2');
  expect(client.trusted()).toEqual({ root: 1, snapshot: 2, timestamp: 2 });
});

scenario('another timestamp of the same version is not taken', async ({ repo, initialized: client }) => {
  expect(await client.refresh()).toBe(0);
  repo.timestamp.meta['snapshot.json'] = { version: 100 };
  repo.restart('timestamp');
  repo.publish('timestamp');
  expect(await client.refresh()).toBe(0);
  expect(repo.requests.at(-1)).toBe('timestamp');
  expect(client.read('timestamp').signed['meta']).toEqual({ 'snapshot.json': { version: 1 } });
});

scenario('hashes of metadata are checked', async ({ repo, initialized: client }) => {
  repo.describesMetadata = true;
  repo.publish(...TOP_LEVEL);
  expect(await client.refresh()).toBe(0);
  repo.publish('targets');
  const meta = repo.snapshot.meta['targets.json'];
  if (meta !== undefined) meta.hashes = { sha256: '0'.repeat(64) };
  repo.publish('snapshot', 'timestamp');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 1, snapshot: 3, targets: 2, timestamp: 3 });
});

scenario('lengths of metadata are checked', async ({ repo, initialized: client }) => {
  repo.describesMetadata = true;
  repo.publish('targets', 'snapshot');
  const meta = repo.timestamp.meta['snapshot.json'];
  if (meta?.length !== undefined) meta.length++;
  repo.publish('timestamp');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 1, timestamp: 2 });
});

scenario('unknown fields are kept and signed over', async ({ repo, initialized: client }) => {
  expect(await client.refresh()).toBe(0);
  repo.root['custom'] = { nested: ['value', 1, null, true], text: 'ü \u2028 "\\' };
  repo.root.roles.root['another'] = 'value';
  repo.addKey('root', { extra: { more: { a: 1, b: 2 } } });
  repo.publish('root');
  expect(await client.refresh()).toBe(0);
  expect(client.trusted()).toMatchObject({ root: 2 });
});

scenario('keyid_hash_algorithms means nothing', async ({ repo, initialized: client }) => {
  repo.clearKeys('snapshot');
  repo.addKey('snapshot', { extra: { keyid_hash_algorithms: 'md5' } });
  repo.publish('root', 'snapshot', 'timestamp');
  expect(await client.refresh()).toBe(0);
  expect(client.trusted()).toMatchObject({ root: 2, snapshot: 2 });
});

scenario('a missing snapshot', async ({ repo, initialized: client }) => {
  expect(await client.refresh()).toBe(0);
  repo.timestamp.meta['snapshot.json'] = { version: 2 };
  repo.publish('timestamp');
  expect(await client.refresh()).toBe(1);
  expect(repo.requests.at(-1)).toBe('snapshot 2');
  expect(client.trusted()).toEqual({ ...ALL, timestamp: 2 });
});

scenario('missing targets', async ({ repo, initialized: client }) => {
  expect(await client.refresh()).toBe(0);
  repo.snapshot.meta['targets.json'] = { version: 2 };
  repo.publish('snapshot', 'timestamp');
  expect(await client.refresh()).toBe(1);
  expect(repo.requests.at(-1)).toBe('targets 2');
  expect(client.trusted()).toEqual({ ...ALL, snapshot: 2, timestamp: 2 });
});

scenario('a missing timestamp', async ({ repo, initialized: client }) => {
  expect(await client.refresh()).toBe(0);
  repo.published.delete('timestamp');
  expect(await client.refresh()).toBe(1);
  expect(repo.requests.at(-1)).toBe('timestamp');
  expect(client.trusted()).toEqual(ALL);
});

scenario('a snapshot that is signed like a timestamp is none', async ({ repo, initialized: client }) => {
  const [signer] = repo.signers.get('timestamp')?.values() ?? [];
  if (signer !== undefined) repo.useKey('snapshot', signer);
  repo.snapshot.meta = { 'snapshot.json': { version: 1 } };
  repo.publish('root', 'snapshot');
  repo.published.set('timestamp', [repo.latest('snapshot')]);
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 2 });
});

scenario.for([
  ['an array', '[]'],
  ['no JSON', '<html>log in</html>'],
  ['nothing', ''],
  ['deep nesting', '['.repeat(10_000)],
] as const)('a timestamp that is %s', async ([, text], { repo, initialized: client }) => {
  expect(await client.refresh()).toBe(0);
  repo.published.set('timestamp', [Buffer.from(text)]);
  expect(await client.refresh()).toBe(1);
  expect(client.output).toMatch(/^trust-failed: http.*\/metadata\/timestamp\.json/);
  expect(client.trusted()).toEqual(ALL);
});

scenario('a timestamp without end', async ({ repo, initialized: client }) => {
  repo.replaceLatest('timestamp', Buffer.concat([repo.latest('timestamp'), Buffer.alloc(1_000_000, ' ')]));
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 1 });
});

scenario('without consistent snapshots names carry no version', async ({ repo, client }) => {
  repo.root.consistent_snapshot = false;
  repo.restart('root');
  repo.publish('root');
  repo.delegate('targets', 'A');
  repo.addArtifact('A', 'file', 'content');
  repo.publish('A', ...TOP_LEVEL);
  await client.init(repo.latest('root'));
  expect(await client.download('file')).toBe(0);
  expect(repo.requests).toEqual(['root 2', 'timestamp', 'snapshot', 'targets', 'A']);
  expect(repo.downloads).toEqual(['file']);
  expect(client.downloaded()).toEqual(['content']);
});

scenario(
  'a repository that gives consistent snapshots up, with roles called like folders',
  async ({ repo, initialized: client }) => {
    expect(await client.refresh()).toBe(0);
    repo.root.consistent_snapshot = false;
    repo.publish('root');
    const names = ['A', '..', '.'];
    for (const name of names) repo.delegate('targets', name);
    repo.publish(...names, ...TOP_LEVEL);
    expect(await client.refresh()).toBe(0);
    repo.requests.length = 0;
    expect(await client.download('missing')).toBe(1);
    expect(repo.requests).toEqual(['root 3', 'timestamp', ...names]);
    expect(client.trusted()).toMatchObject({ root: 2, snapshot: 2, targets: 2, timestamp: 2 });
  },
);

/** Older metadata is refused; a rotation of keys ends a fast-forward attack. */
import { expect } from 'vitest';
import { scenario } from './scenario.ts';
import { TOP_LEVEL } from './simulator.ts';

scenario('an older timestamp', async ({ repo, initialized: client }) => {
  repo.publish('timestamp');
  expect(await client.refresh()).toBe(0);
  repo.restart('timestamp');
  repo.publish('timestamp');
  expect(await client.refresh()).toBe(1);
  expect(client.output).toMatch(/^trust-rollback/);
  expect(client.trusted()).toMatchObject({ timestamp: 2 });
  expect(repo.requests.at(-1)).toBe('timestamp');
});

scenario.for([[false], [true]] as const)(
  'an older snapshot, its hash told: %s',
  async ([described], { repo, initialized: client }) => {
    repo.describesMetadata = described;
    repo.publish('snapshot', 'timestamp');
    expect(await client.refresh()).toBe(0);
    repo.restart('snapshot');
    repo.publish('snapshot', 'timestamp');
    expect(await client.refresh()).toBe(1);
    expect(client.trusted()).toMatchObject({ timestamp: 2, snapshot: 2 });
    expect(repo.requests.at(-1)).toBe('timestamp');
  },
);

scenario(
  'an older snapshot under an unchanged timestamp is not even asked for',
  async ({ repo, initialized: client }) => {
    repo.publish('snapshot', 'timestamp');
    expect(await client.refresh()).toBe(0);
    repo.restart('snapshot');
    expect(await client.refresh()).toBe(0);
    expect(client.trusted()).toMatchObject({ snapshot: 2 });
    expect(repo.requests.at(-1)).toBe('timestamp');
  },
);

scenario.for([[false], [true]] as const)(
  'older targets, their hash told: %s',
  async ([described], { repo, initialized: client }) => {
    repo.describesMetadata = described;
    repo.publish(...TOP_LEVEL);
    expect(await client.refresh()).toBe(0);
    repo.restart('targets');
    repo.publish(...TOP_LEVEL);
    expect(await client.refresh()).toBe(1);
    expect(client.trusted()).toMatchObject({ snapshot: 2, targets: 2 });
  },
);

scenario('a snapshot from which targets vanish', async ({ repo, initialized: client }) => {
  repo.delegate('targets', 'A');
  repo.publish('A', ...TOP_LEVEL);
  expect(await client.refresh()).toBe(0);
  Reflect.deleteProperty(repo.snapshot.meta, 'A.json');
  repo.publish('snapshot', 'timestamp');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toMatchObject({ snapshot: 2, timestamp: 3 });
});

scenario('an older root is never asked for', async ({ repo, initialized: client }) => {
  repo.publish('root', 'root');
  expect(await client.refresh()).toBe(0);
  repo.published.set('root', repo.published.get('root')?.slice(0, 1) ?? []);
  repo.requests.length = 0;
  expect(await client.refresh()).toBe(0);
  expect(repo.requests).toEqual(['root 4', 'timestamp']);
  expect(client.trusted()).toMatchObject({ root: 3 });
});

scenario(
  'targets recover from a fast forward with a new snapshot key',
  async ({ repo, initialized: client }) => {
    for (let version = 2; version <= 100; version++) repo.publish('targets');
    repo.publish('snapshot', 'timestamp');
    expect(await client.refresh()).toBe(0);
    expect(client.trusted()).toMatchObject({ targets: 100 });
    repo.rotateKeys('snapshot');
    repo.restart('targets');
    repo.publish('root', ...TOP_LEVEL);
    expect(await client.refresh()).toBe(0);
    expect(client.trusted()).toMatchObject({ targets: 1 });
  },
);

scenario(
  'the snapshot recovers with new snapshot and timestamp keys',
  async ({ repo, initialized: client }) => {
    for (let version = 2; version <= 100; version++) repo.publish('snapshot');
    repo.publish('timestamp');
    expect(await client.refresh()).toBe(0);
    expect(client.trusted()).toMatchObject({ snapshot: 100 });
    repo.rotateKeys('snapshot');
    repo.rotateKeys('timestamp');
    repo.restart('snapshot');
    repo.publish('root', ...TOP_LEVEL);
    expect(await client.refresh()).toBe(0);
    expect(client.trusted()).toMatchObject({ snapshot: 1 });
  },
);

scenario('the timestamp recovers with a new timestamp key', async ({ repo, initialized: client }) => {
  for (let version = 2; version <= 100; version++) repo.publish('timestamp');
  expect(await client.refresh()).toBe(0);
  expect(client.trusted()).toMatchObject({ timestamp: 100 });
  repo.rotateKeys('timestamp');
  repo.restart('timestamp');
  repo.publish('root', 'timestamp');
  expect(await client.refresh()).toBe(0);
  expect(client.trusted()).toMatchObject({ timestamp: 1 });
});

scenario('a new root with the same online keys keeps the floor', async ({ repo, initialized: client }) => {
  repo.publish('timestamp');
  expect(await client.refresh()).toBe(0);
  repo.restart('timestamp');
  repo.publish('root', 'timestamp');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toMatchObject({ root: 2, timestamp: 2 });
});

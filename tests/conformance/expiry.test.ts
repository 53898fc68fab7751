/** What has expired is not trusted, by the clock of the machine. */
import { expect } from 'vitest';
import { scenario } from './scenario.ts';
import { daysFromNow, emptyTargets, TOP_LEVEL } from './simulator.ts';

const ALL = { root: 1, snapshot: 1, targets: 1, timestamp: 1 };

scenario(
  'an expired root is kept, and nothing beyond it asked for',
  async ({ repo, initialized: client }) => {
    expect(await client.refresh()).toBe(0);
    repo.publish('root');
    expect(await client.refresh()).toBe(0);
    repo.root.expires = daysFromNow(-1);
    repo.publish('root', 'timestamp');
    expect(await client.refresh()).toBe(1);
    expect(client.output).toMatch(/^trust-expired/);
    expect(client.trusted()).toEqual({ ...ALL, root: 3 });
    expect(repo.requests.at(-1)).toBe('root 4');
  },
);

scenario('an expired root on the way to a current one is no harm', async ({ repo, initialized: client }) => {
  repo.root.expires = daysFromNow(-1);
  repo.publish('root');
  repo.root.expires = daysFromNow(9);
  repo.publish('root');
  expect(await client.refresh()).toBe(0);
  expect(client.trusted()).toEqual({ ...ALL, root: 3 });
});

scenario.for([
  ['timestamp', ALL],
  ['snapshot', { ...ALL, timestamp: 2 }],
  ['targets', { ...ALL, timestamp: 2, snapshot: 2 }],
] as const)('an expired new %s', async ([role, trusted], { repo, initialized: client }) => {
  expect(await client.refresh()).toBe(0);
  repo.draft(role).expires = daysFromNow(-5);
  repo.publish(...TOP_LEVEL.slice(TOP_LEVEL.indexOf(role)));
  expect(await client.refresh()).toBe(1);
  expect(client.output).toMatch(/^trust-expired/);
  expect(client.trusted()).toEqual(trusted);
});

scenario('expired drafts that nobody published change nothing', async ({ repo, initialized: client }) => {
  expect(await client.refresh()).toBe(0);
  repo.targets.expires = daysFromNow(-5);
  repo.publish('snapshot', 'timestamp');
  expect(await client.refresh()).toBe(0);
  expect(client.trusted()).toEqual({ ...ALL, snapshot: 2, timestamp: 2 });
});

scenario('the clock is the machine’s', async ({ repo, initialized: client }) => {
  repo.root.expires = daysFromNow(7);
  repo.publish('root');
  expect(await client.refresh()).toBe(0);
  expect(await client.refresh({ days: 8 })).toBe(1);
});

scenario('from an expired local root to a current one', async ({ repo, initialized: client }) => {
  repo.root.expires = daysFromNow(7);
  repo.publish('root');
  expect(await client.refresh()).toBe(0);
  repo.root.expires = daysFromNow(21);
  repo.publish('root');
  expect(await client.refresh({ days: 18 })).toBe(0);
  expect(client.trusted()).toEqual({ ...ALL, root: 3 });
});

scenario('from an expired local timestamp to a current one', async ({ repo, initialized: client }) => {
  repo.timestamp.expires = daysFromNow(7);
  repo.publish('timestamp');
  expect(await client.refresh()).toBe(0);
  repo.timestamp.expires = daysFromNow(21);
  repo.publish(...TOP_LEVEL);
  expect(await client.refresh({ days: 18 })).toBe(0);
  expect(client.trusted()).toEqual({ root: 1, snapshot: 2, targets: 2, timestamp: 3 });
});

scenario('an expired local timestamp still is the floor', async ({ repo, initialized: client }) => {
  repo.timestamp.expires = daysFromNow(7);
  repo.publish('timestamp');
  expect(await client.refresh()).toBe(0);
  repo.restart('timestamp');
  repo.timestamp.expires = daysFromNow(21);
  repo.publish('timestamp');
  expect(await client.refresh({ days: 18 })).toBe(1);
  expect(client.output).toMatch(/^trust-rollback/);
});

scenario(
  'a clock that was set back brings no expired metadata back',
  async ({ repo, initialized: client }) => {
    expect(await client.refresh({ days: 20 })).toBe(0);
    repo.timestamp.expires = daysFromNow(10);
    repo.publish('timestamp');
    expect(await client.refresh()).toBe(1);
    expect(client.output).toMatch(/^trust-expired/);
  },
);

scenario('a delegated role that has expired describes nothing', async ({ repo, initialized: client }) => {
  repo.delegate('targets', 'A', { paths: ['a/*'], targets: emptyTargets(daysFromNow(-1)) });
  repo.addArtifact('A', 'a/file', 'content');
  repo.publish('A', ...TOP_LEVEL);
  expect(await client.refresh()).toBe(0);
  expect(await client.download('a/file')).toBe(1);
  expect(client.downloaded()).toEqual([]);
  expect(client.trusted()).toEqual({ root: 1, snapshot: 2, targets: 2, timestamp: 2 });
});

scenario(
  'a delegated role is not used beyond its end, and followed to the next',
  async ({ repo, initialized: client }) => {
    repo.delegate('targets', 'A', { paths: ['a/*'], targets: emptyTargets(daysFromNow(7)) });
    repo.addArtifact('A', 'a/first', 'first');
    repo.addArtifact('A', 'a/second', 'second');
    repo.publish('A', ...TOP_LEVEL);
    expect(await client.download('a/first')).toBe(0);
    expect(await client.download('a/second', { days: 18 })).toBe(1);
    expect(client.downloaded()).toEqual(['first']);
    repo.targetsOf('A').expires = daysFromNow(21);
    repo.publish('A', 'snapshot', 'timestamp');
    expect(await client.download('a/second', { days: 18 })).toBe(0);
    expect(client.downloaded()).toEqual(['first', 'second']);
  },
);

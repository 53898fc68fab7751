/** Delegated roles: which are asked, in what order, and which may speak. */
import { expect } from 'vitest';
import { sha256 } from '#schema/digest';
import { scenario } from './scenario.ts';
import { makeSigner } from './signers.ts';
import { TOP_LEVEL, type DelegationOptions, type Simulator } from './simulator.ts';

type Edge = readonly [from: string, to: string, options?: DelegationOptions];

function delegate(repo: Simulator, edges: readonly Edge[]): void {
  for (const [from, to, options] of edges) repo.delegate(from, to, options);
  repo.publish(...new Set(edges.map(([, to]) => to)), ...TOP_LEVEL);
}

const PY = { paths: ['*.py'] };
const LAST = { terminating: true };
const graphs: [string, Edge[], string][] = [
  ['one', [['targets', 'A']], 'A'],
  [
    'two beside each other',
    [
      ['targets', 'A'],
      ['targets', 'B'],
    ],
    'A B',
  ],
  [
    'two levels',
    [
      ['targets', 'A'],
      ['targets', 'B'],
      ['B', 'C'],
    ],
    'A B C',
  ],
  [
    'depth first',
    [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C'],
      ['A', 'D'],
    ],
    'A C D B',
  ],
  [
    'depth first, three levels',
    [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C'],
      ['C', 'D'],
    ],
    'A C D B',
  ],
  [
    'a terminating role ends the search',
    [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C', LAST],
      ['A', 'D'],
    ],
    'A C',
  ],
  [
    'a terminating role still delegates',
    [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C', LAST],
      ['C', 'D'],
    ],
    'A C D',
  ],
  [
    'paths that do not match',
    [
      ['targets', 'A', PY],
      ['targets', 'B'],
      ['A', 'C'],
    ],
    'B',
  ],
  [
    'paths that do not match, a level on',
    [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C', PY],
      ['C', 'D'],
    ],
    'A B',
  ],
  [
    'a terminating role that does not match',
    [
      ['targets', 'A', { ...PY, ...LAST }],
      ['targets', 'B'],
    ],
    'B',
  ],
  [
    'a circle',
    [
      ['targets', 'A'],
      ['targets', 'B'],
      ['B', 'C'],
      ['C', 'D'],
      ['D', 'B'],
    ],
    'A B C D',
  ],
  [
    'one reached in two ways',
    [
      ['targets', 'A'],
      ['targets', 'B'],
      ['B', 'C'],
      ['A', 'C'],
    ],
    'A C B',
  ],
  [
    'one reached in two ways, one not matching',
    [
      ['targets', 'A'],
      ['targets', 'B'],
      ['B', 'C'],
      ['A', 'C', PY],
    ],
    'A B C',
  ],
];

scenario.for(graphs)('order: %s', async ([, edges, order], { repo, initialized: client }) => {
  delegate(repo, edges);
  expect(await client.download('missing')).toBe(1);
  expect(repo.requests.slice(4)).toEqual(order.split(' ').map((role) => `${role} 1`));
});

scenario.for([
  ['targetfile', true, ''],
  ['README.md', true, 'A'],
  ['releases/x/x_v1', true, 'B C'],
  ['releases/y/y_v1.zip', true, 'B D'],
  ['releases/z/z_v1.zip', false, 'B'],
] as const)('search for %s', async ([path, found, order], { repo, initialized: client }) => {
  repo.delegate('targets', 'A', { paths: ['*.doc', '*.md'] });
  repo.delegate('targets', 'B', { paths: ['releases/*/*'] });
  repo.delegate('B', 'C', { paths: ['releases/x/*'] });
  repo.delegate('B', 'D', { paths: ['releases/y/*.zip'] });
  repo.addArtifact('targets', 'targetfile', 'of targets');
  repo.addArtifact('A', 'README.md', 'of A');
  repo.addArtifact('C', 'releases/x/x_v1', 'x of C');
  repo.addArtifact('D', 'releases/y/y_v1.zip', 'y of D');
  repo.addArtifact('D', 'releases/z/z_v1.zip', 'z of D');
  repo.publish('A', 'B', 'C', 'D', ...TOP_LEVEL);
  expect(await client.download(path)).toBe(found ? 0 : 1);
  expect(client.downloaded()).toEqual(found ? [repo.artifacts.get(path)?.data.toString()] : []);
  expect(repo.requests.slice(4)).toEqual(
    order
      .split(' ')
      .filter(Boolean)
      .map((role) => `${role} 1`),
  );
});

scenario.for([
  ['*.tgz', 'a.tgz', true],
  ['*.tgz', 'dir/a.tgz', false],
  ['*', 'dir/a', false],
  ['dir/*', 'dir/a', true],
  ['dir/*', 'dir/sub/a', false],
  ['foo-version-?.tgz', 'foo-version-2.tgz', true],
  ['foo-version-?.tgz', 'foo-version-22.tgz', false],
  ['a[0-9]', 'a7', true],
  ['a[!0-9]', 'a7', false],
  ['[', '[', true],
  ['a*b*c', 'a-b-b-c', true],
  ['*a*a*a*a*a*a*b', 'a'.repeat(200), false],
  ['*', '.hidden', true],
] as const)('the pattern %s and %s: %s', async ([pattern, path, found], { repo, initialized: client }) => {
  repo.delegate('targets', 'A', { paths: [pattern] });
  repo.addArtifact('A', path, 'content');
  repo.publish('A', ...TOP_LEVEL);
  expect(await client.download(path)).toBe(found ? 0 : 1);
});

scenario('the first role that names a path decides', async ({ repo, initialized: client }) => {
  repo.delegate('targets', 'A', { paths: ['file'] });
  repo.delegate('targets', 'B', { paths: ['file'] });
  repo.addArtifact('B', 'file', 'of B');
  repo.addArtifact('A', 'file', 'of A');
  repo.publish('A', 'B', ...TOP_LEVEL);
  expect(await client.download('file')).toBe(0);
  expect(client.downloaded()).toEqual(['of A']);
});

scenario('prefixes of the digest of a path', async ({ repo, initialized: client }) => {
  const digest = sha256('dir/file');
  repo.delegate('targets', 'A', { path_hash_prefixes: [digest.startsWith('0') ? '1' : '0'] });
  repo.delegate('targets', 'B', { path_hash_prefixes: ['ffffffff', digest.slice(0, 3)] });
  repo.addArtifact('B', 'dir/file', 'content');
  repo.publish('A', 'B', ...TOP_LEVEL);
  expect(await client.download('dir/file')).toBe(0);
  expect(repo.requests.slice(4)).toEqual(['B 1']);
});

scenario.for([[1], [5], [8]])(
  'succinct roles of %i bits',
  async ([bits = 1], { repo, initialized: client }) => {
    const names = repo.delegateToBins('targets', bits, 'bin');
    const bin = Number.parseInt(sha256('dir/file').slice(0, 8), 16) >>> (32 - bits);
    const name = `bin-${bin.toString(16).padStart(Math.ceil(bits / 4), '0')}`;
    expect(names).toContain(name);
    repo.addArtifact(name, 'dir/file', 'content');
    repo.publish(...names, ...TOP_LEVEL);
    expect(await client.download('dir/file')).toBe(0);
    expect(repo.requests.slice(4)).toEqual([`${name} 1`]);
  },
);

scenario('a role whose signature is not of the delegated key', async ({ repo, initialized: client }) => {
  repo.delegate('targets', 'A');
  repo.addArtifact('A', 'file', 'content');
  repo.signers.get('A')?.clear();
  repo.addSigner('A', makeSigner());
  repo.publish('A', ...TOP_LEVEL);
  expect(await client.refresh()).toBe(0);
  expect(await client.download('file')).toBe(1);
  expect(client.downloaded()).toEqual([]);
  expect(client.trusted()).not.toHaveProperty('A');
});

scenario('a chain that is too long ends', async ({ repo, initialized: client }) => {
  const names = Array.from({ length: 40 }, (_, index) => `role${index}`);
  for (const [index, name] of names.entries()) repo.delegate(names[index - 1] ?? 'targets', name);
  repo.addArtifact('role39', 'file', 'content');
  repo.publish(...names, ...TOP_LEVEL);
  expect(await client.download('file')).toBe(1);
  expect(repo.requests.slice(4)).toEqual(names.slice(0, 32).map((name) => `${name} 1`));
});

scenario.for([
  ['?'],
  ['#'],
  ['/delegatedrole'],
  ['../delegatedrole'],
  ['.'],
  ['..'],
  ['a b%20c'],
  ['ü'],
  ["!'()*"],
] as const)('a role called %s', async ([name], { repo, initialized: client }) => {
  repo.delegate('targets', name);
  repo.publish(name, ...TOP_LEVEL);
  expect(await client.download('missing')).toBe(1);
  const quoted = encodeURIComponent(name).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  expect(repo.requests.at(-1)).toBe(`${quoted} 1`);
  expect(Object.keys(client.trusted())).toHaveLength(5);
});

scenario(
  'a delegated role that carries the name of a top-level role',
  async ({ repo, initialized: client }) => {
    const [signer] = repo.signers.get('targets')?.values() ?? [];
    if (signer === undefined) throw new Error('no signer');
    const own = { name: 'snapshot', keyids: [signer.keyid], threshold: 1, terminating: false, paths: ['*'] };
    repo.targets.delegations = { keys: { [signer.keyid]: signer.key }, roles: [own] };
    repo.publish(...TOP_LEVEL);
    expect(await client.refresh()).toBe(1);
    expect(client.trusted()).toEqual({ root: 1, snapshot: 2, timestamp: 2 });
  },
);

/** Sequences of roots: which keys each names, how many must sign, and which did. */
import { expect } from 'vitest';
import { scenario } from './scenario.ts';
import { makeSigner } from './signers.ts';

interface Version {
  readonly keys: readonly number[];
  readonly threshold: number;
  readonly signed: readonly number[];
}
const of = (threshold: number, keys: readonly number[], signed: readonly number[]): Version => ({
  keys,
  threshold,
  signed,
});
const signers = Array.from({ length: 10 }, () => makeSigner({ scheme: 'ed25519' }));
const FIVE = [0, 1, 2, 3, 4];
const ONE_NEW = [0, 1, 3, 4, 5];
const ALL_NEW = [5, 6, 7, 8, 9];

const accepted: Record<string, Version[]> = {
  '1 of 1 rotated': [of(1, [1], [1]), of(1, [2], [2, 1]), of(1, [2], [2])],
  '1 of 1 rotated, strangers sign too': [
    of(1, [1], [3, 1, 4]),
    of(1, [2], [3, 2, 1, 4]),
    of(1, [2], [3, 2, 4]),
  ],
  '3 of 5 by other three each time': [
    of(3, FIVE, [0, 2, 4]),
    of(3, FIVE, [0, 4, 1]),
    of(3, FIVE, [0, 1, 3]),
    of(3, FIVE, [0, 1, 3]),
  ],
  '3 of 5, one rotated': [of(3, FIVE, [0, 2, 4]), of(3, ONE_NEW, [0, 4, 1])],
  '3 of 5, one rotated in two steps': [
    of(3, FIVE, [0, 2, 4]),
    of(3, ONE_NEW, [0, 2, 4, 5]),
    of(3, ONE_NEW, [0, 4, 5]),
  ],
  '3 of 5, all rotated in two steps': [
    of(3, FIVE, [0, 2, 4]),
    of(3, ALL_NEW, [0, 2, 4, 5, 6, 7]),
    of(3, ALL_NEW, [5, 6, 7]),
  ],
  'threshold from 1 to 2 of 3': [of(1, [1, 2, 3], [1]), of(2, [1, 2, 3], [1, 2])],
  'threshold from 2 to 1 of 3': [of(2, [1, 2, 3], [1, 2]), of(1, [1, 2, 3], [1, 2]), of(1, [1, 2, 3], [1])],
  'from 1 of 1 to 2 of 2': [of(1, [1], [1]), of(2, [1, 2], [1, 2])],
};
const refused: Record<string, Version[]> = {
  'the old key did not sign': [of(1, [1], [1]), of(1, [2], [2, 3, 4])],
  'the new key did not sign': [of(1, [1], [1]), of(1, [2], [1, 3, 4])],
  'only two of the new three signed': [of(3, FIVE, [0, 2, 4]), of(3, ONE_NEW, [0, 2, 4])],
  'only two of the old three signed': [of(3, FIVE, [0, 2, 4]), of(3, ONE_NEW, [0, 4, 5])],
  'the raised threshold is not reached': [of(1, [1, 2, 3], [1]), of(2, [1, 2, 3], [2])],
  'the old threshold is not reached': [of(2, [1, 2, 3], [1, 2]), of(1, [1, 2, 3], [1])],
};
const cases = [
  ...Object.entries(accepted).map(([name, versions]) => [name, versions, true] as const),
  ...Object.entries(refused).map(([name, versions]) => [name, versions, false] as const),
];

scenario.for(cases)('root: %s', async ([, versions, accept], { repo, client }) => {
  repo.restart('root');
  for (const { keys, threshold, signed } of versions) {
    repo.clearKeys('root');
    repo.root.roles.root.threshold = threshold;
    for (const index of keys) {
      const signer = signers[index];
      if (signer !== undefined) repo.useKey('root', signer);
    }
    repo.signers.get('root')?.clear();
    for (const index of signed) {
      const signer = signers[index];
      if (signer !== undefined) repo.addSigner('root', signer);
    }
    repo.publish('root');
  }
  const roots = repo.published.get('root') ?? [];
  await client.init(roots[0] ?? Buffer.alloc(0));
  expect(await client.refresh()).toBe(accept ? 0 : 1);
  expect(client.bytes('root').equals(roots.at(accept ? -1 : -2) ?? Buffer.alloc(0))).toBe(true);
});

const others = [
  ['rotated', of(1, [2], [2]), true],
  ['strangers sign too', of(1, [1], [3, 1, 4]), true],
  ['the new key did not sign', of(1, [2], [1, 3, 4]), false],
  ['two of three and a stranger', of(3, ONE_NEW, [0, 2, 4]), false],
  ['two of three', of(3, ONE_NEW, [0, 4]), false],
  ['three of five', of(3, FIVE, [0, 2, 4]), true],
  ['another three', of(3, FIVE, [0, 4, 1]), true],
  ['a third three', of(3, FIVE, [0, 1, 3]), true],
  ['a fourth three', of(3, FIVE, [1, 2, 3]), true],
  ['a fifth three', of(3, FIVE, [2, 3, 4]), true],
] as const;

scenario.for(others)(
  'timestamp, snapshot and targets: %s',
  async ([, { keys, threshold, signed }, accept], { repo, initialized: client }) => {
    for (const role of ['timestamp', 'snapshot', 'targets'] as const) {
      repo.clearKeys(role);
      repo.root.roles[role].threshold = threshold;
      for (const index of keys) {
        const signer = signers[index];
        if (signer !== undefined) repo.useKey(role, signer);
      }
      repo.signers.get(role)?.clear();
      for (const index of signed) {
        const signer = signers[index];
        if (signer !== undefined) repo.addSigner(role, signer);
      }
      repo.publish('root', 'targets', 'snapshot', 'timestamp');
      expect(await client.refresh()).toBe(accept ? 0 : 1);
      if (accept) expect(client.bytes(role).equals(repo.latest(role))).toBe(true);
    }
  },
);

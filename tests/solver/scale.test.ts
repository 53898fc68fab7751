/** Universes made to keep the solver busy: the work grows with what is offered, not with its square. */
import { expect, test } from 'vitest';
import type { PackageRecord } from '#schema/index-shard';
import type { Effort } from '#engine/solver/search';
import { solve, type SolveOutcome } from '#engine/solver/solve';
import { pkg } from './support.ts';

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

function answer(
  asked: string,
  records: readonly PackageRecord[],
  onEffort: (effort: Effort) => void = () => undefined,
): SolveOutcome {
  return solve({
    arch: 'x86_64',
    world: { depends: [asked], holds: [], pins: {} },
    candidates: records.map((record) => ({
      record,
      source: { kind: 'repository', repository: 'main', mirrors: [] },
    })),
    installed: [],
    upgrade: 'none',
    keepOrphans: true,
    recommends: true,
    onEffort,
  });
}

type Universe = (count: number) => readonly [asked: string, records: readonly PackageRecord[]];

const universes: Readonly<Record<string, Universe>> = {
  'providers that cannot be installed': (count) => [
    'cmd:x',
    numbers(count).map((number) =>
      pkg(`p${number}-1.0.0-r0`, { provides: ['cmd:x'], depends: [`missing${number}`] }),
    ),
  ],
  'providers of which one can be installed': (count) => [
    'cmd:x',
    numbers(count).map((number) =>
      pkg(`p${1000 + number}-1.0.0-r0`, {
        provides: ['cmd:x'],
        depends: number === count - 1 ? [] : ['missing'],
      }),
    ),
  ],
  'providers that can be installed': (count) => [
    'cmd:x',
    numbers(count).map((number) => pkg(`p${number}-1.0.0-r0`, { provides: ['cmd:x'] })),
  ],
  'providers that keep one another away and cannot be installed': (count) => [
    'v',
    numbers(count).map((number) =>
      pkg(`p${number}-1.0.0-r0`, { provides: ['v@=1.0.0'], depends: ['missing'] }),
    ),
  ],
  'providers that fail two steps further on': (count) => [
    'cmd:x',
    numbers(count).flatMap((number) => [
      pkg(`p${number}-1.0.0-r0`, { provides: ['cmd:x'], depends: [`cmd:y${number}`] }),
      pkg(`a${number}-1.0.0-r0`, { provides: [`cmd:y${number}`], depends: ['missing'] }),
      pkg(`b${number}-1.0.0-r0`, { provides: [`cmd:y${number}`], depends: ['missing'] }),
    ]),
  ],
  'providers of two names that never go together': (count) => [
    'app',
    [
      pkg('app-1.0.0-r0', { depends: ['cmd:x', 'cmd:y'] }),
      ...numbers(count).flatMap((number) => [
        pkg(`x${number}-1.0.0-r0`, { provides: ['cmd:x'], depends: ['z@=1.0.0'] }),
        pkg(`y${number}-1.0.0-r0`, { provides: ['cmd:y'], depends: ['z@=2.0.0'] }),
      ]),
      pkg('z-1.0.0-r0'),
      pkg('z-2.0.0-r0'),
    ],
  ],
  'versions that cannot be installed': (count) => [
    'p',
    numbers(count).map((number) => pkg(`p-${number}.0.0-r0`, { depends: [`missing${number}`] })),
  ],
  'versions that need others': (count) => [
    'p',
    numbers(count).flatMap((number) => [
      pkg(`p-${number}.0.0-r0`, { depends: [`q@>=${number === 5 ? 5 : count}`] }),
      pkg(`q-${number}.0.0-r0`),
    ]),
  ],
};

function effortOf(universe: Universe, count: number): Effort {
  const sum = { decisions: 0, lessons: 0, looks: 0 };
  const [asked, records] = universe(count);
  answer(asked, records, (effort) => {
    for (const name of ['decisions', 'lessons', 'looks'] as const) sum[name] += effort[name];
  });
  return sum;
}

test.each(Object.entries(universes))('twice as many %s are twice the work', (_, universe) => {
  const [few, many] = [effortOf(universe, 200), effortOf(universe, 400)];
  for (const name of ['decisions', 'lessons', 'looks'] as const)
    expect(many[name], name).toBeLessThanOrEqual(2.2 * few[name] + 10);
});

test('of many that are one plain name, no two come together', () => {
  const records = [
    ...numbers(100).map((number) => pkg(`p${number}-1.0.0-r0`, { provides: ['v@=1.0.0'] })),
    pkg('p3-2.0.0-r0', { provides: ['v@=1.0.0'], depends: ['p4'] }),
  ];
  const outcome = answer('p3', records);
  expect(outcome.solved && outcome.selection.map(({ candidate }) => candidate.record)).toMatchObject([
    { name: 'p3', version: '1.0.0-r0' },
  ]);
  const failed = answer('p3@=2.0.0', records);
  expect(failed.solved ? [] : failed.explanation).toContain(
    'p3 and p4 are both v, of which there can be only one',
  );
});

test('the one provider among many that can be installed is found', () => {
  const records = numbers(300).map((number) =>
    pkg(`p${number}-1.0.0-r0`, { provides: ['cmd:x'], depends: number === 77 ? [] : ['missing'] }),
  );
  const outcome = answer('cmd:x', records);
  expect(outcome.solved && outcome.selection.map(({ candidate }) => candidate.record.name)).toEqual(['p77']);
});

test('of many versions the newest is taken whose ranges can be met', () => {
  const records = numbers(300).flatMap((number) => [
    pkg(`p-${number}.0.0-r0`, { depends: [`q@>=${number === 5 ? 5 : 300}`] }),
    pkg(`q-${number}.0.0-r0`),
  ]);
  const outcome = answer('p', records);
  expect(outcome.solved && outcome.selection.map(({ candidate }) => candidate.record.version).sort()).toEqual(
    ['299.0.0-r0', '5.0.0-r0'],
  );
});

test('a long proof is told by how it starts and how it ends', () => {
  const records = numbers(100).map((number) =>
    pkg(`p${number}-1.0.0-r0`, { provides: ['cmd:x'], depends: ['missing'] }),
  );
  const outcome = answer('cmd:x', records);
  if (outcome.solved) throw new Error('it cannot be solved');
  expect(outcome.explanation).toHaveLength(41);
  expect(outcome.explanation[30]).toBe('(61 more reasons)');
});

/** Universes made to keep the solver busy: the work grows with what is offered, not with its square. */
import { expect, test } from 'vitest';
import type { PackageRecord } from '#schema/index-shard';
import { solve, type SolveOutcome } from '#engine/solver/solve';
import { pkg } from './support.ts';

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

function answer(asked: string, records: readonly PackageRecord[]): SolveOutcome {
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
  });
}

/** How often what packages provide is looked at until so many providers that cannot be installed are ruled out. */
function stepsFor(count: number): number {
  let steps = 0;
  const records = numbers(count).map((number) => {
    const record = pkg(`p${number}-1.0.0-r0`, { depends: [`missing${number}`] });
    return Object.defineProperty(record, 'provides', {
      get: () => {
        steps += 1;
        return ['cmd:x'];
      },
    });
  });
  expect(answer('cmd:x', records).solved).toBe(false);
  return steps;
}

test('twice as many providers that cannot be installed are twice the work', () => {
  const [few, many] = [stepsFor(150), stepsFor(300)];
  expect(many / few).toBeLessThan(2.5);
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

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PackageRecord } from '#schema/index-shard';
import { solve, type SolveOutcome } from '#engine/solver/solve';
import { pkg } from './support.ts';

const NAMES = ['a', 'b', 'c', 'd'];
/** `v` is a plain name, `so:v` a name from files: several packages may provide that in any version. */
const CAPABILITIES = ['v', 'so:v'];
const RANGES = ['', '@=1.0.0', '@=2.0.0', '@>=2'];
const requirement = fc
  .tuple(fc.constantFrom(...NAMES, ...CAPABILITIES), fc.constantFrom(...RANGES))
  .map(([name, range]) => ({ name, range, text: name + range }));
const dependency = fc.oneof(
  requirement.map((one) => ({ conflict: false, anyOf: [one] })),
  fc.tuple(requirement, requirement).map((anyOf) => ({ conflict: false, anyOf })),
  requirement.map((one) => ({ conflict: true, anyOf: [one] })),
);
type Dependency = typeof dependency extends fc.Arbitrary<infer T> ? T : never;
const textOf = ({ conflict, anyOf }: Dependency): string =>
  (conflict ? '!' : '') + anyOf.map(({ text }) => text).join(' | ');
const provided = fc.option(
  fc.record({ name: fc.constantFrom(...CAPABILITIES), major: fc.constantFrom(undefined, 1, 2) }),
  { nil: undefined },
);
const universe = fc.array(
  fc.tuple(
    fc.constantFrom(...NAMES),
    fc.constantFrom(1, 2, 3),
    fc.array(dependency, { maxLength: 2 }),
    provided,
  ),
  {
    maxLength: 9,
  },
);

interface Package {
  readonly name: string;
  readonly major: number;
  readonly depends: readonly Dependency[];
  readonly provides: { readonly name: string; readonly major: number | undefined } | undefined;
  readonly record: PackageRecord;
}
interface Needed {
  readonly name: string;
  readonly range: string;
}
const inRange = (major: number | undefined, range: string): boolean =>
  range === '' ||
  (major !== undefined &&
    ((range === '@=1.0.0' && major === 1) ||
      (range === '@=2.0.0' && major === 2) ||
      (range === '@>=2' && major >= 2)));
const matches = (one: Package, { name, range }: Needed): boolean =>
  (one.name === name && inRange(one.major, range)) ||
  (one.provides?.name === name && inRange(one.provides.major, range));

function valid(chosen: readonly Package[], world: readonly Dependency[]): boolean {
  if (new Set(chosen.map(({ name }) => name)).size !== chosen.length) return false;
  const only = chosen.filter(({ provides }) => provides?.name === 'v' && provides.major !== undefined);
  if (only.length > 1) return false;
  const holds = (one: Dependency, self?: Package): boolean => {
    const met = chosen.some(
      (other) => (!one.conflict || other !== self) && one.anyOf.some((need) => matches(other, need)),
    );
    return one.conflict ? !met : met;
  };
  return (
    world.every((one) => holds(one)) && chosen.every((one) => one.depends.every((need) => holds(need, one)))
  );
}

/** Tries every set of packages. */
function possible(packages: readonly Package[], world: readonly Dependency[]): boolean {
  for (let bits = 0; bits < 1 << packages.length; bits++) {
    if (
      valid(
        packages.filter((_, index) => (bits >> index) & 1),
        world,
      )
    )
      return true;
  }
  return false;
}

type Drawn = typeof universe extends fc.Arbitrary<infer T> ? T : never;

function packagesOf(drawn: Drawn): readonly Package[] {
  return [...new Map(drawn.map((one) => [`${one[0]}-${one[1]}`, one])).values()].map(
    ([name, major, depends, provides]): Package => ({
      name,
      major,
      depends,
      provides,
      record: pkg(`${name}-${major}.0.0-r0`, {
        depends: depends.map(textOf),
        // With a priority, no choice between providers is left to a person.
        providerPriority: 1,
        ...(provides === undefined
          ? {}
          : {
              provides: [provides.name + (provides.major === undefined ? '' : `@=${provides.major}.0.0`)],
            }),
      }),
    }),
  );
}

function answer(packages: readonly Package[], world: readonly Dependency[]): SolveOutcome {
  return solve({
    arch: 'x86_64',
    world: { depends: world.map(textOf), holds: [], pins: {} },
    candidates: packages.map(({ record }) => ({
      record,
      source: { kind: 'repository', repository: 'main' },
    })),
    // The oldest of each name that is named last, so that some are there already.
    installed: packages
      .filter(({ name, major }) => major === 1 && name > 'b')
      .map(({ record }) => ({ record, repository: 'main', transaction: 1, requested: false })),
    upgrade: 'none',
    keepOrphans: false,
    recommends: true,
  });
}

it('finds an answer exactly when there is one, and the answer holds', () => {
  fc.assert(
    fc.property(universe, fc.array(dependency, { minLength: 1, maxLength: 3 }), (drawn, world) => {
      const packages = packagesOf(drawn);
      const result = answer(packages, world);
      expect(result.solved).toBe(possible(packages, world));
      if (!result.solved) return;
      const chosen = packages.filter(({ record }) =>
        result.selection.some(({ candidate }) => candidate.record === record),
      );
      expect(valid(chosen, world)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

it('answers the same, word for word, in whatever order it is told', () => {
  const requests = fc.array(dependency, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(universe, requests, fc.nat(9), (drawn, world, turn) => {
      const packages = packagesOf(drawn);
      const turned = [...packages.slice(turn), ...packages.slice(0, turn)].reverse();
      expect(answer(turned, [...world].reverse())).toEqual(answer(packages, world));
    }),
    { numRuns: 1000 },
  );
});

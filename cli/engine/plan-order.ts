/** The order in which a plan is carried out. It depends on what is changed only, never on the order of lists. */
import type { PackageRecord } from '#schema/index-shard';
import type { Dependency } from '#schema/dependency';
import type { World } from './model.ts';
import { capabilityName, dependenciesOf } from './solver/universe.ts';

interface Package {
  readonly record: PackageRecord;
}

const byName = (a: Package, b: Package): number => (a.record.name < b.record.name ? -1 : 1);

/**
 * What the world asks for, name by name; before each package what it needs, in the order it names it, and after it
 * the packages whose conditions it completed. A circle is cut where it is entered.
 */
export function installOrder<T extends Package>(packages: readonly T[], world: World): readonly T[] {
  const sorted = [...packages].sort(byName);
  const offering = offeringOf(sorted);
  const order = new Set<T>();
  const conditional = conditionalOn(sorted);
  const isMet = ({ record }: T): boolean =>
    dependenciesOf(record.installIf).every(
      (one) => one.kind === 'conflicts' || met(one, offering).some((other) => order.has(other)),
    );
  const visit = depthFirst<T>({
    before: (one) =>
      dependenciesOf(one.record.depends).flatMap((each) =>
        // What it conflicts with in another version is brought to the right one first.
        each.kind === 'conflicts' ? (offering.get(each.with.name) ?? []) : met(each, offering),
      ),
    done: (one) => order.add(one),
    after: (one) =>
      namesOf(one)
        .flatMap((name) => conditional.get(name) ?? [])
        .filter((other) => !order.has(other) && isMet(other)),
  });
  const asked = dependenciesOf([...world.depends].sort()).flatMap((one) => met(one, offering));
  for (const one of [...asked, ...sorted]) visit(one);
  return [...order];
}

/** Before each package those that need it, after it what only it needed. */
export function removalOrder<T extends Package>(packages: readonly T[]): readonly T[] {
  const sorted = [...packages].sort(byName);
  const offering = offeringOf(sorted);
  const needs = new Map(
    sorted.map((one) => [one, dependenciesOf(one.record.depends).flatMap((each) => met(each, offering))]),
  );
  const dependents = new Map<T, Set<T>>(sorted.map((one) => [one, new Set()]));
  for (const one of sorted) {
    const conditions = dependenciesOf(one.record.installIf).flatMap((each) => met(each, offering));
    for (const needed of [...(needs.get(one) ?? []), ...conditions]) dependents.get(needed)?.add(one);
  }
  const order = new Set<T>();
  const visit = depthFirst<T>({
    before: (one) => [...(dependents.get(one) ?? [])],
    done: (one) => order.add(one),
    after: (one) =>
      (needs.get(one) ?? []).filter((other) =>
        [...(dependents.get(other) ?? [])].every((dependent) => order.has(dependent)),
      ),
  });
  for (const one of sorted) visit(one);
  return [...order];
}

interface Walk<T> {
  readonly before: (one: T) => readonly T[];
  readonly done: (one: T) => void;
  readonly after: (one: T) => readonly T[];
}

/** Walks without recursion, because a chain of dependencies may be as long as it likes. */
function depthFirst<T>({ before, done, after }: Walk<T>): (start: T) => void {
  const entered = new Set<T>();
  const left = new Set<T>();
  return (start) => {
    const stack = [start];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      if (!entered.has(top)) {
        entered.add(top);
        stack.push(
          top,
          ...before(top)
            .filter((one) => !entered.has(one))
            .reverse(),
        );
      } else if (!left.has(top)) {
        left.add(top);
        done(top);
        stack.push(
          ...after(top)
            .filter((one) => !entered.has(one))
            .reverse(),
        );
      }
    }
  };
}

function offeringOf<T extends Package>(packages: readonly T[]): ReadonlyMap<string, readonly T[]> {
  const map = new Map<string, T[]>();
  for (const one of packages) {
    for (const name of namesOf(one)) put(map, name, one);
  }
  return map;
}

function met<T extends Package>(
  dependency: Dependency,
  offering: ReadonlyMap<string, readonly T[]>,
): readonly T[] {
  if (dependency.kind === 'conflicts') return [];
  return dependency.anyOf.flatMap(({ name }) => offering.get(name) ?? []);
}

/** The packages with conditions, by the names that could meet one. */
function conditionalOn<T extends Package>(packages: readonly T[]): ReadonlyMap<string, readonly T[]> {
  const map = new Map<string, T[]>();
  for (const one of packages) {
    for (const condition of dependenciesOf(one.record.installIf)) {
      if (condition.kind === 'needs') for (const { name } of condition.anyOf) put(map, name, one);
    }
  }
  return map;
}

const namesOf = ({ record }: Package): readonly string[] => [
  ...new Set([record.name, ...(record.provides ?? []).map(capabilityName)]),
];

function put<T>(map: Map<string, T[]>, name: string, one: T): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [one]);
  else list.push(one);
}

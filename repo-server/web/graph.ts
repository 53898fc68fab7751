/**
 * Which packages around one are worth a picture, and in which columns they stand: a pure function of the catalogue. What a package needs
 * is to the right of it. An arrow that follows from others is left out, so that what is left can be read.
 */
import {
  dependentsOf,
  namesNeeded,
  suppliersOf,
  type Catalogue,
  type CataloguedPackage,
} from './catalogue.ts';

const MOST_NEEDED = 36;
const MOST_DEPENDENTS = 8;

export interface Edge {
  readonly from: string;
  readonly to: string;
}

export interface DependencyGraph {
  readonly centre: string;
  /** Names by column, those that need the centre in the first. */
  readonly columns: readonly (readonly string[])[];
  /** Arrows of the picture. */
  readonly edges: readonly Edge[];
  /** All that each package in the picture needs among them. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  /** Packages that there was no room for. */
  readonly left: number;
}

export function graphAround(catalogue: Catalogue, centre: CataloguedPackage): DependencyGraph {
  const closure = neededBy(catalogue, centre.name);
  const dependents = dependentsOf(catalogue, centre).filter((name) => !closure.includes(name));
  const shown = new Set([...dependents.slice(0, MOST_DEPENDENTS), ...closure.slice(0, MOST_NEEDED + 1)]);
  const needs = new Map(
    [...shown].map((name) => [name, directNeeds(catalogue, name).filter((other) => shown.has(other))]),
  );
  const ahead = withoutCycles(needs, [...shown]);
  const depth = depths(ahead);
  const columns: string[][] = [];
  for (const name of shown) (columns[depth.get(name) ?? 0] ??= []).push(name);
  return {
    centre: centre.name,
    columns: columns.filter((column) => column.length > 0),
    edges: reduced(ahead),
    needs,
    left: closure.length + dependents.length - shown.size,
  };
}

/** Packages that stand for what one needs, of several that could the first. */
function directNeeds(catalogue: Catalogue, name: string): string[] {
  const names = new Set<string>();
  for (const text of catalogue.packages.get(name)?.newest.depends ?? []) {
    const supplier = namesNeeded(text).flatMap((needed) => suppliersOf(catalogue, needed))[0];
    if (supplier !== undefined && supplier !== name) names.add(supplier);
  }
  return [...names];
}

/** A package and all that it needs, the nearest first. */
function neededBy(catalogue: Catalogue, name: string): string[] {
  const found = new Set([name]);
  for (const one of found) for (const needed of directNeeds(catalogue, one)) found.add(needed);
  return [...found];
}

type Needs = ReadonlyMap<string, readonly string[]>;

/** Leaves out what leads back to where the search came from. */
function withoutCycles(needs: Needs, names: readonly string[]): Needs {
  const ahead = new Map<string, string[]>();
  const open = new Set<string>();
  const visit = (name: string): void => {
    const kept: string[] = [];
    ahead.set(name, kept);
    open.add(name);
    for (const other of needs.get(name) ?? []) {
      if (open.has(other)) continue;
      if (!ahead.has(other)) visit(other);
      kept.push(other);
    }
    open.delete(name);
  };
  for (const name of names) if (!ahead.has(name)) visit(name);
  return ahead;
}

/** The length of the longest way to each package. */
function depths(ahead: Needs): Map<string, number> {
  const depth = new Map([...ahead.keys()].map((name) => [name, 0]));
  // As often as a way can be long; there are no cycles.
  for (let round = 0; round < ahead.size; round++) {
    let changed = false;
    for (const [name, others] of ahead)
      for (const other of others) {
        const least = (depth.get(name) ?? 0) + 1;
        if ((depth.get(other) ?? 0) >= least) continue;
        depth.set(other, least);
        changed = true;
      }
    if (!changed) break;
  }
  return depth;
}

/** The edges that no longer way stands for. */
function reduced(ahead: Needs): Edge[] {
  const reach = new Map<string, ReadonlySet<string>>();
  const reachable = (name: string): ReadonlySet<string> => {
    const known = reach.get(name);
    if (known !== undefined) return known;
    const all = new Set<string>();
    for (const other of ahead.get(name) ?? []) {
      all.add(other);
      for (const more of reachable(other)) all.add(more);
    }
    reach.set(name, all);
    return all;
  };
  return [...ahead].flatMap(([from, others]) =>
    others
      .filter((to) => !others.some((other) => other !== to && reachable(other).has(to)))
      .map((to) => ({ from, to })),
  );
}

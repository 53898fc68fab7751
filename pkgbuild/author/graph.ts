/** The build dependencies of recipes as a graph, and its two written forms: dot, and a picture. */
import * as path from 'node:path';
import { findRecipe, type LoadedRecipe } from '../recipe.ts';

export interface RecipeGraph {
  /** Names of recipes, sorted. */
  readonly nodes: readonly string[];
  /** Who is built with whom. */
  readonly edges: readonly Edge[];
}

type Edge = readonly [needs: string, needed: string];

/**
 * The recipes and all that they are built with, whatever the architecture and the options.
 * @throws IcepkgError `not-found` for a recipe that is needed and does not exist
 */
export function recipeGraph(recipes: readonly LoadedRecipe[], roots: readonly string[]): RecipeGraph {
  const done = new Map<string, Edge[]>();
  const pending = [...recipes];
  for (let loaded = pending.pop(); loaded !== undefined; loaded = pending.pop()) {
    const { name } = loaded.recipe;
    if (done.has(name)) continue;
    const needed = buildDependsOf(loaded);
    done.set(
      name,
      needed.map((one): Edge => [name, one]),
    );
    const near = [path.dirname(loaded.folder), ...roots];
    for (const one of needed) if (!done.has(one)) pending.push(findRecipe(one, near));
  }
  return { nodes: [...done.keys()].toSorted(), edges: [...done.values()].flat() };
}

function buildDependsOf({ recipe }: LoadedRecipe): string[] {
  const lists = [
    recipe.buildDepends,
    recipe.perArch?.x86_64?.buildDepends,
    recipe.perArch?.aarch64?.buildDepends,
  ];
  const names = lists.flatMap((list) =>
    (list ?? []).map((one) => (typeof one === 'string' ? one : one.name)),
  );
  return [...new Set(names)].toSorted();
}

/** The part of the graph that is built, directly or not, with one of `names`, and these themselves. */
export function neededBy({ nodes, edges }: RecipeGraph, names: readonly string[]): RecipeGraph {
  const kept = new Set(names);
  for (const name of kept) for (const [from, to] of edges) if (to === name) kept.add(from);
  return {
    nodes: nodes.filter((name) => kept.has(name)),
    edges: edges.filter(([from, to]) => kept.has(from) && kept.has(to)),
  };
}

/** Without the edges that follow from others: who needs A, which needs B, need not say that they need B. */
export function reduceGraph({ nodes, edges }: RecipeGraph): RecipeGraph {
  const below = new Map<string, Set<string>>();
  const neededBy = (name: string): string[] => edges.filter(([from]) => from === name).map(([, to]) => to);
  const reach = (name: string): Set<string> => {
    const known = below.get(name);
    if (known !== undefined) return known;
    const found = new Set<string>();
    // Set before it is filled, so that a cycle ends.
    below.set(name, found);
    for (const next of neededBy(name)) {
      found.add(next);
      for (const far of reach(next)) found.add(far);
    }
    return found;
  };
  const kept = edges.filter(
    ([from, to]) => !neededBy(from).some((other) => other !== to && reach(other).has(to)),
  );
  return { nodes, edges: kept };
}

/** In the language of Graphviz. */
export function dotText({ nodes, edges }: RecipeGraph): string {
  return [
    'digraph recipes {',
    '  rankdir=LR;',
    '  node [shape=box, fontname="sans-serif"];',
    ...nodes.map((name) => `  "${name}";`),
    ...edges.map(([from, to]) => `  "${from}" -> "${to}";`),
    '}',
    '',
  ].join('\n');
}

/** Finds everything that a set of recipes needs for building, in the order it must be built. */
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { findRecipe, packageArch, type LoadedRecipe } from './recipe.ts';
import { makersOf } from './makers.ts';
import { resolveRecipe, type Options, type ResolvedRecipe } from './resolve-recipe.ts';
import { placeText, type Keys } from './yaml.ts';

/** One recipe as it is built for one architecture. */
export interface BuildNode {
  readonly recipe: ResolvedRecipe;
  /** The recipe as it was read. */
  readonly loaded: LoadedRecipe;
  readonly folder: string;
  /** Architecture of the packages. */
  readonly arch: MachineArch | 'noarch';
  /** Architecture that the toolchain is set up for. */
  readonly toolArch: MachineArch;
  /** What is declared under `buildDepends`. */
  readonly buildNodes: readonly BuildNode[];
  /** What is declared under `testDepends`. */
  readonly testNodes: readonly BuildNode[];
}

/**
 * Returns the recipes and their build dependencies, dependencies first.
 * @param options of the recipes that were asked for; what they need is built with its defaults
 * @throws IcepkgError `not-found` for a missing recipe, `build-failed` for a cycle or an architecture that is not built for
 */
export function buildOrder(
  recipes: readonly LoadedRecipe[],
  arch: MachineArch,
  roots: readonly string[],
  options: Options = {},
): BuildNode[] {
  const done = new Map<string, BuildNode>();
  const asked = new Set(recipes.map(({ recipe }) => recipe.name));
  const visit = (loaded: LoadedRecipe, arch: MachineArch, trail: readonly string[]): BuildNode => {
    const { name } = loaded.recipe;
    const packages = packageArch(loaded.recipe, arch);
    const known = done.get(`${name}.${packages}`);
    if (known !== undefined) return known;
    if (trail.includes(name))
      throw new IcepkgError(
        'build-failed',
        `build dependencies form a cycle: ${[...trail, name].join(' -> ')}`,
        {
          hint: `Take one of them out of buildDepends or testDepends in ${loaded.file}`,
        },
      );
    if (packages === undefined)
      throw new IcepkgError('build-failed', `${name} is not built for ${arch}`, {
        hint: `${loaded.file} lists its architectures under arch`,
      });
    const recipe = resolveRecipe(loaded, arch, asked.has(name) ? options : {});
    const near = [path.dirname(loaded.folder), ...roots];
    // A package for every machine must not differ by the one it was asked for.
    const toolArch = packages === 'noarch' ? 'x86_64' : packages;
    const visitAll = (field: 'buildDepends' | 'testDepends'): BuildNode[] =>
      (recipe[field] ?? []).map((needed) =>
        visit(dependencyOf({ loaded, field, needed }, near), toolArch, [...trail, name]),
      );
    const node: BuildNode = {
      recipe,
      loaded,
      folder: loaded.folder,
      arch: packages,
      toolArch,
      buildNodes: visitAll('buildDepends'),
      testNodes: visitAll('testDepends'),
    };
    done.set(`${name}.${packages}`, node);
    return node;
  };
  for (const loaded of recipes) visit(loaded, arch, []);
  return [...done.values()];
}

interface Need {
  readonly loaded: LoadedRecipe;
  readonly field: 'buildDepends' | 'testDepends';
  readonly needed: string;
}

function dependencyOf(need: Need, roots: readonly string[]): LoadedRecipe {
  const { needed, field } = need;
  try {
    return findRecipe(needed, roots);
  } catch (cause) {
    if (!(cause instanceof IcepkgError) || cause.code !== 'not-found') throw cause;
    const [maker] = makersOf(needed, roots);
    const hint =
      maker === undefined ? cause.hint : `${needed} is a package of the recipe ${maker}: name that`;
    throw new IcepkgError('not-found', `${placeOf(need)}: ${field} names ${needed}, and ${cause.message}`, {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** Of the name in the list, which may be that of one architecture. */
function placeOf({ loaded: { recipe, place }, field, needed }: Need): string {
  const isIt = (one: string | { readonly name: string }): boolean =>
    (typeof one === 'string' ? one : one.name) === needed;
  const index = (recipe[field] ?? []).findIndex(isIt);
  if (index !== -1) return placeText(place([field, index]));
  const perArch = (['x86_64', 'aarch64'] as const).flatMap((arch): Keys[] => {
    const at = (recipe.perArch?.[arch]?.buildDepends ?? []).findIndex(isIt);
    return at === -1 ? [] : [['perArch', arch, field, at]];
  });
  return placeText(place(perArch[0] ?? [field]));
}

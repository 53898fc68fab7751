/** A recipe as it is built: for one architecture, with the options decided, pipelines and ranges written out. */
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { nearest } from '#schema/nearest';
import { holds } from './condition.ts';
import { findPipeline, inputAssignments, type Pipeline } from './pipeline.ts';
import type { LoadedRecipe } from './recipe.ts';
import type { Recipe, Subpackage } from './recipe-schema.ts';
import { PHASES, type InputValue, type PhaseName, type Steps } from './step-schema.ts';

export type Options = Readonly<Record<string, boolean>>;

/** A subpackage with its files, and its test as shell text. */
export type ResolvedSubpackage = Omit<Subpackage, 'files' | 'uses' | 'forEach' | 'if' | 'test'> & {
  files: string[];
  test?: string | undefined;
};

type Undecided =
  PhaseName | 'test' | 'uses' | 'with' | 'options' | 'perArch' | 'buildDepends' | 'subpackages';
export type ResolvedRecipe = Omit<Recipe, Undecided> & {
  [phase in PhaseName | 'test']?: string | undefined;
} & {
  buildDepends?: string[] | undefined;
  subpackages?: ResolvedSubpackage[] | undefined;
};

/** @param options what whoever builds decided; the recipe's defaults for the rest */
export function resolveRecipe(
  { recipe, folder }: Pick<LoadedRecipe, 'recipe' | 'folder'>,
  arch: MachineArch,
  options: Options = {},
): ResolvedRecipe {
  const { uses, with: inputs, options: declared = {}, ...merged } = forArch(recipe, arch);
  const decided = Object.entries(declared).map(([name, one]): [string, boolean] => [
    name,
    options[name] ?? one.default,
  ]);
  const facts = new Set([arch, ...decided.filter(([, on]) => on).map(([name]) => name)]);
  const scope: Scope = { folder, facts, used: [] };
  const whole = uses === undefined ? undefined : pipeline(uses, scope);
  const { test, buildDepends, subpackages, hostDepends = [] } = merged;
  const changed: Partial<ResolvedRecipe> = {
    ...(test === undefined ? {} : { test: scriptOf(test, 'check', scope) }),
    ...(buildDepends === undefined ? {} : { buildDepends: chosen(buildDepends, facts) }),
    ...(subpackages === undefined ? {} : { subpackages: subpackages.flatMap((one) => expand(one, scope)) }),
    ...(decided.length === 0 ? {} : { env: { ...optionVariables(decided), ...merged.env } }),
  };
  for (const phase of PHASES) {
    const steps = merged[phase];
    if (steps !== undefined) changed[phase] = scriptOf(steps, phase, scope) || undefined;
    else if (whole?.[phase] !== undefined) changed[phase] = pipelineScript(whole, phase, inputs ?? {});
  }
  const host = new Set([...hostDepends, ...scope.used.flatMap((one) => one.hostDepends ?? [])]);
  if (host.size > 0) changed.hostDepends = [...host].sort();
  // Fields keep their places, because the digest of a build is over them in their order.
  return { ...merged, ...changed } as ResolvedRecipe;
}

/**
 * Sorts what the command line says of options.
 * @throws IcepkgError `usage` for an option that none of the recipes has
 */
export function checkOptions(options: Options, recipes: readonly LoadedRecipe[]): void {
  const known = recipes.flatMap(({ recipe }) => Object.keys(recipe.options ?? {}));
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const guess = nearest(name, known);
    const hint = known.length === 0 ? 'They have no options' : `They have ${[...new Set(known)].join(', ')}`;
    throw new IcepkgError('usage', `no recipe that is asked for has an option ${name}`, {
      hint: guess === undefined ? hint : `Did you mean ${guess}?`,
    });
  }
}

/** The recipe with `perArch` merged in and gone: lists and variables add, everything else replaces. */
export function forArch(recipe: Recipe, arch: MachineArch): Omit<Recipe, 'perArch'> {
  const { perArch, ...common } = recipe;
  const given = perArch?.[arch];
  if (given === undefined) return common;
  const merged: Record<string, unknown> = { ...common };
  for (const [field, own] of Object.entries({
    ...given,
    buildDepends: given.buildDepends ?? [],
    env: given.env ?? {},
  })) {
    const before = merged[field];
    if (Array.isArray(own) && Array.isArray(before) && !(PHASES as readonly string[]).includes(field))
      merged[field] = [...(before as unknown[]), ...(own as unknown[])];
    else if (field === 'env' || field === 'with')
      merged[field] = { ...(before as object), ...(own as object) };
    else merged[field] = own;
  }
  return merged as Omit<Recipe, 'perArch'>;
}

interface Scope {
  readonly folder: string;
  readonly facts: ReadonlySet<string>;
  /** Pipelines that were used, for what they need of the machine. */
  readonly used: Pipeline[];
}

function pipeline(name: string, scope: Scope): Pipeline {
  const found = findPipeline(name, scope.folder);
  if (found === undefined) throw new Error(`the pipeline ${name} was there when the recipe was read`);
  scope.used.push(found);
  return found;
}

/** Every step of a list runs in a shell of its own, so that no variable or folder leaks into the next. */
function scriptOf(steps: Steps, phase: PhaseName, scope: Scope): string {
  if (typeof steps === 'string') return steps;
  return steps
    .filter((step) => holds(step.if, scope.facts))
    .map((step) => {
      const label = step.name === undefined ? '' : `: ${step.name.replaceAll(/[^\w .,()-]/g, '_')}\n`;
      const text =
        'run' in step ? step.run : pipelineScript(pipeline(step.uses, scope), phase, step.with ?? {});
      return `${label}(\n${text}\n)`;
    })
    .join('\n');
}

const pipelineScript = (
  one: Pipeline,
  phase: PhaseName,
  inputs: Readonly<Record<string, InputValue>>,
): string => `${inputAssignments(one, inputs)}\n${one[phase] ?? ''}`;

const optionVariables = (decided: readonly (readonly [string, boolean])[]): Record<string, string> =>
  Object.fromEntries(
    decided.map(([name, on]) => [`OPTION_${name.toUpperCase().replaceAll('-', '_')}`, on ? 'on' : 'off']),
  );

const chosen = (depends: NonNullable<Recipe['buildDepends']>, facts: ReadonlySet<string>): string[] =>
  depends
    .filter((one) => typeof one === 'string' || holds(one.if, facts))
    .map((one) => (typeof one === 'string' ? one : one.name));

function expand(subpackage: Subpackage, scope: Scope): ResolvedSubpackage[] {
  const { if: condition, forEach, uses, ...own } = subpackage;
  if (!holds(condition, scope.facts)) return [];
  const files = [...(own.files ?? []), ...(uses === undefined ? [] : (pipeline(uses, scope).files ?? []))];
  const { test, ...rest } = { ...own, files };
  const whole = test === undefined ? rest : { ...rest, test: scriptOf(test, 'check', scope) };
  return (forEach ?? ['']).map((each) => replaceEach(whole, each) as ResolvedSubpackage);
}

function replaceEach(value: unknown, each: string): unknown {
  if (typeof value === 'string') return value.replaceAll('${each}', each);
  if (Array.isArray(value)) return value.map((one) => replaceEach(one, each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, replaceEach(one, each)]));
}

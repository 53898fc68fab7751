/** What one field of a recipe says of another: options in conditions, pipelines and their inputs. */
import type { IcepkgError } from '#schema/error';
import { nearest } from '#schema/nearest';
import { conditionNames } from './condition.ts';
import { findPipeline, inputProblem, phasesIn, pipelineNames } from './pipeline.ts';
import type { Recipe, Subpackage } from './recipe-schema.ts';
import { PHASES, type InputValue, type PhaseName, type Steps } from './step-schema.ts';
import type { Keys } from './yaml.ts';

type Refuse = (keys: Keys, why: string, hint?: string) => IcepkgError;

interface Place {
  readonly keys: Keys;
  readonly folder: string;
  readonly refuse: Refuse;
  /** Names that conditions may use. */
  readonly facts: readonly string[];
}

type Part = Partial<Pick<Recipe, PhaseName | 'uses' | 'with' | 'buildDepends' | 'subpackages' | 'test'>>;

/** @throws what `refuse` makes, at the place of the fault */
export function checkRecipe(recipe: Recipe, folder: string, refuse: Refuse): void {
  const facts = ['x86_64', 'aarch64', ...Object.keys(recipe.options ?? {})];
  const place = { folder, refuse, facts, keys: [] };
  checkPart(recipe, place);
  checkNames(recipe, recipe, place);
  for (const arch of ['x86_64', 'aarch64'] as const) {
    const part = recipe.perArch?.[arch] ?? {};
    checkPart(part, at(place, 'perArch', arch));
    checkNames(recipe, part, at(place, 'perArch', arch));
  }
}

const at = (place: Place, ...keys: Keys): Place => ({ ...place, keys: [...place.keys, ...keys] });

function checkPart(part: Part, place: Place): void {
  if (part.uses !== undefined) checkUse({ uses: part.uses, with: part.with }, place, undefined);
  for (const phase of PHASES) checkSteps(part[phase], at(place, phase), phase);
  checkSteps(part.test, at(place, 'test'), 'check');
  for (const [index, depend] of (part.buildDepends ?? []).entries())
    if (typeof depend !== 'string') checkCondition(depend.if, at(place, 'buildDepends', index, 'if'));
  for (const [index, subpackage] of (part.subpackages ?? []).entries())
    checkSubpackage(subpackage, at(place, 'subpackages', index));
}

/** Of two packages with one name the second would be lost; only conditions can keep them apart. */
function checkNames(recipe: Recipe, part: Part, place: Place): void {
  const always = new Set([recipe.name]);
  for (const [index, { name, if: condition }] of (part.subpackages ?? []).entries()) {
    if (always.has(name))
      throw place.refuse(
        [...place.keys, 'subpackages', index, 'name'],
        name === recipe.name ? `${name} is the recipe itself` : `two subpackages are called ${name}`,
        'Give it a name of its own, or put what both say into one',
      );
    if (condition === undefined) always.add(name);
  }
}

function checkSubpackage(subpackage: Subpackage, place: Place): void {
  checkCondition(subpackage.if, at(place, 'if'));
  checkSteps(subpackage.test, at(place, 'test'), 'check');
  if (subpackage.uses !== undefined) {
    const pipeline = pipelineNamed(subpackage.uses, place);
    if (pipeline.files === undefined)
      throw place.refuse(
        [...place.keys, 'uses'],
        `the pipeline ${subpackage.uses} does not say which files`,
        'Name one such as split/locales, or give files',
      );
  } else if (subpackage.files === undefined && (subpackage.directories ?? []).length === 0)
    throw place.refuse(place.keys, 'expected files or uses', 'Patterns under files say what goes into it');
  if (subpackage.name.includes('${each}') && subpackage.forEach === undefined)
    throw place.refuse(
      [...place.keys, 'name'],
      '${each} stands for an item of forEach, and there is none',
      'Give forEach: a list of texts',
    );
}

function checkSteps(steps: Steps | undefined, place: Place, phase: PhaseName): void {
  if (steps === undefined || typeof steps === 'string') return;
  for (const [index, step] of steps.entries()) {
    const here = at(place, index);
    checkCondition(step.if, at(here, 'if'));
    if ('uses' in step) checkUse(step, here, phase);
  }
}

interface Use {
  readonly uses: string;
  readonly with?: Readonly<Record<string, InputValue>> | undefined;
}

function checkUse(use: Use, place: Place, phase: PhaseName | undefined): void {
  const pipeline = pipelineNamed(use.uses, place);
  if (phase !== undefined && pipeline[phase] === undefined)
    throw place.refuse(
      [...place.keys, 'uses'],
      `the pipeline ${use.uses} has nothing for this phase`,
      `It has ${phasesIn(pipeline).join(', ') || 'only files for subpackages'}`,
    );
  const problem = inputProblem(pipeline, use.with ?? {});
  if (problem === undefined) return;
  const keys: Keys = problem.input === undefined ? ['uses'] : ['with', problem.input];
  throw place.refuse([...place.keys, ...keys], problem.why, problem.hint);
}

function pipelineNamed(name: string, place: Place): NonNullable<ReturnType<typeof findPipeline>> {
  const pipeline = findPipeline(name, place.folder);
  if (pipeline !== undefined) return pipeline;
  const names = pipelineNames(place.folder);
  const guess = nearest(name, names);
  throw place.refuse(
    [...place.keys, 'uses'],
    `there is no pipeline ${name}`,
    guess === undefined ? `There are ${names.join(', ')}` : `Did you mean ${guess}?`,
  );
}

function checkCondition(condition: string | undefined, place: Place): void {
  for (const name of condition === undefined ? [] : conditionNames(condition)) {
    if (place.facts.includes(name)) continue;
    const guess = nearest(name, place.facts);
    const known = `Conditions may name ${place.facts.join(', ')}; declare others under options`;
    throw place.refuse(
      place.keys,
      `there is no option ${name}`,
      guess === undefined ? known : `Did you mean ${guess}?`,
    );
  }
}

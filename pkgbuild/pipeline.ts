/**
 * Pipelines: named steps with typed inputs, as data files in `pkgbuild/pipelines` and in a recipe's own folder
 * `pipelines`. Inputs reach the shell as variables, so that no value can be read as more than a value.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { PackageNameSchema } from '#schema/fields';
import { nearest } from '#schema/nearest';
import { GlobSchema } from './path-rules.ts';
import { quote } from './shell.ts';
import { PHASES, PipelineNameSchema, ShellSchema, type InputValue } from './step-schema.ts';
import { decodeYaml, readYamlFile } from './yaml.ts';

const inputFields = { description: v.string('expected a description') };
const InputSchema = v.union(
  [
    v.strictObject({ type: v.literal('text'), default: v.optional(v.string()), ...inputFields }),
    /** Several words: the shell splits them. */
    v.strictObject({ type: v.literal('words'), default: v.optional(v.string()), ...inputFields }),
    v.strictObject({ type: v.literal('flag'), default: v.optional(v.boolean()), ...inputFields }),
    v.strictObject({ type: v.literal('number'), default: v.optional(v.number()), ...inputFields }),
  ],
  'expected an input: type (text, words, flag or number), description, and perhaps default',
);
type Input = v.InferOutput<typeof InputSchema>;

export const PipelineSchema = v.strictObject({
  name: PipelineNameSchema,
  description: v.string('expected a description'),
  inputs: v.optional(
    v.record(
      v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]*$/, 'expected a name in lower case, without hyphens')),
      InputSchema,
    ),
    {},
  ),
  /** Debian packages whose commands the pipeline calls. */
  hostDepends: v.optional(v.array(PackageNameSchema, 'expected a list of Debian packages')),
  prepare: v.optional(ShellSchema),
  build: v.optional(ShellSchema),
  check: v.optional(ShellSchema),
  install: v.optional(ShellSchema),
  /** Patterns of files, for subpackages that use the pipeline. */
  files: v.optional(v.array(GlobSchema)),
});
export type Pipeline = v.InferOutput<typeof PipelineSchema>;

/** The pipelines that come with icepkg. */
function ownFolder(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const top = path.basename(path.dirname(here)) === 'dist' ? path.join(here, '../..') : path.join(here, '..');
  return path.join(top, 'pkgbuild/pipelines');
}

const foldersFor = (recipeFolder: string): string[] => [path.join(recipeFolder, 'pipelines'), ownFolder()];

/** The pipeline of that name, a recipe's own before those of icepkg; `undefined` where there is none. */
export function findPipeline(name: string, recipeFolder: string): Pipeline | undefined {
  for (const folder of foldersFor(recipeFolder)) {
    const file = path.join(folder, `${name}.yaml`);
    if (!fs.existsSync(file)) continue;
    const manual = 'docs/recipes.md explains pipelines';
    return decodeYaml(PipelineSchema, { text: readYamlFile(file, 'pipeline'), file, manual }).value;
  }
  return undefined;
}

/** Names of all pipelines that a recipe may use. */
export function pipelineNames(recipeFolder: string): string[] {
  const names = foldersFor(recipeFolder)
    .filter((folder) => fs.existsSync(folder))
    .flatMap((folder) =>
      fs
        .readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => name.slice(0, -'.yaml'.length)),
    );
  return [...new Set(names)].sort();
}

/** What is wrong with the inputs given to a pipeline, and with which; `undefined` where nothing is. */
export function inputProblem(
  pipeline: Pipeline,
  given: Readonly<Record<string, InputValue>>,
): { readonly input: string | undefined; readonly why: string; readonly hint: string } | undefined {
  const known = Object.keys(pipeline.inputs);
  const list = known.length === 0 ? 'It has no inputs' : `Its inputs are ${known.join(', ')}`;
  for (const [name, value] of Object.entries(given)) {
    const input = pipeline.inputs[name];
    if (input === undefined) {
      const guess = nearest(name, known);
      const hint = guess === undefined ? list : `Did you mean ${guess}?`;
      return { input: name, why: `the pipeline ${pipeline.name} has no such input`, hint };
    }
    if (!fits(input, value))
      return { input: name, why: `expected ${EXPECTED[input.type]}`, hint: input.description };
  }
  for (const [name, input] of Object.entries(pipeline.inputs))
    if (input.default === undefined && !(name in given)) {
      const hint = `${name} is ${EXPECTED[input.type]}: ${input.description}`;
      return { input: undefined, why: `the pipeline ${pipeline.name} needs the input ${name}`, hint };
    }
  return undefined;
}

const EXPECTED: Readonly<Record<Input['type'], string>> = {
  text: 'text',
  words: 'text or a list of texts',
  flag: 'true or false',
  number: 'a number',
};

function fits(input: Input, value: InputValue): boolean {
  if (input.type === 'flag') return typeof value === 'boolean';
  if (input.type === 'number') return typeof value === 'number';
  return typeof value === 'string' || (input.type === 'words' && Array.isArray(value));
}

/** Shell text that sets the inputs of a pipeline. Variables in their values are expanded, commands are not run. */
export function inputAssignments(pipeline: Pipeline, given: Readonly<Record<string, InputValue>>): string {
  return Object.entries(pipeline.inputs)
    .map(([name, input]) => {
      const value = given[name] ?? input.default ?? '';
      return `${name}=${typeof value === 'boolean' || typeof value === 'number' ? String(value) : expanding(value)}`;
    })
    .join('\n');
}

function expanding(value: string | readonly string[]): string {
  const text = typeof value === 'string' ? value : value.join(' ');
  return /^[^"\\`$]*(?:\$[A-Za-z_]\w*[^"\\`$]*)*$/.test(text) && text.includes('$')
    ? `"${text}"`
    : quote(text);
}

/** Phases that a pipeline has something for. */
export const phasesIn = (pipeline: Pipeline): (typeof PHASES)[number][] =>
  PHASES.filter((phase) => pipeline[phase] !== undefined);

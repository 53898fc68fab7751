/** Steps, conditions and options in the words of a recipe. */
import * as v from 'valibot';

export const ShellSchema = v.pipe(
  v.string('expected shell text'),
  v.minLength(1, 'expected shell text that is not empty'),
);

/** What holds for a build: options that are on, and the architecture. */
export const ConditionSchema = v.pipe(
  v.string('expected a condition such as ssl, "!ssl" or "ssl && aarch64"'),
  v.regex(
    /^\s*!?[a-z][a-z0-9_-]*(?:\s*(?:&&|\|\|)\s*!?[a-z][a-z0-9_-]*)*\s*$/,
    'expected a condition such as ssl, "!ssl" or "ssl && aarch64"',
  ),
);

export const PipelineNameSchema = v.pipe(
  v.string('expected the name of a pipeline'),
  v.regex(/^[a-z][a-z0-9-]*(?:\/[a-z][a-z0-9-]*)*$/, 'expected the name of a pipeline such as autotools'),
);

const InputValueSchema = v.union(
  [v.string(), v.boolean(), v.number(), v.array(v.string('expected text; a number needs quotes'))],
  'expected text, a number, true, false or a list of texts',
);
export type InputValue = v.InferOutput<typeof InputValueSchema>;
export const InputsSchema = v.record(v.string(), InputValueSchema);

const RunStepSchema = v.strictObject({
  run: ShellSchema,
  /** Shown in the log. */
  name: v.optional(v.string('expected text')),
  if: v.optional(ConditionSchema),
});
const PipelineStepSchema = v.strictObject({
  uses: PipelineNameSchema,
  with: v.optional(InputsSchema),
  name: v.optional(v.string('expected text')),
  if: v.optional(ConditionSchema),
});

export const StepsSchema = v.union(
  [
    ShellSchema,
    v.pipe(
      v.array(v.union([RunStepSchema, PipelineStepSchema], 'expected a step: run, or uses with with')),
      v.minLength(1, 'expected at least one step'),
    ),
  ],
  'expected shell text or a list of steps',
);
export type Steps = v.InferOutput<typeof StepsSchema>;

export const PHASES = ['prepare', 'build', 'check', 'install'] as const;
export type PhaseName = (typeof PHASES)[number];

export const OptionsSchema = v.record(
  v.pipe(
    v.string(),
    v.regex(/^[a-z][a-z0-9_-]*$/, 'expected the name of an option in lower case'),
    v.check((name) => name !== 'x86_64' && name !== 'aarch64', 'expected no name of an architecture'),
  ),
  v.strictObject({
    description: v.string('expected a description'),
    /** Whether it is on where nobody says. */
    default: v.boolean('expected true or false'),
  }),
);

/** The shell text of steps, for whoever only reads it. */
export function shellOf(steps: Steps): string {
  if (typeof steps === 'string') return steps;
  return steps.map((step) => ('run' in step ? step.run : '')).join('\n');
}

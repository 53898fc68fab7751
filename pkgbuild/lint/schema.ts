/** What a recipe says to the linter. */
import * as v from 'valibot';
import { LineSchema } from '#schema/fields';
import { GlobSchema } from '../path-rules.ts';

const AllowSchema = v.strictObject({
  /** Name of a rule, as `docs/lint.md` lists it. */
  rule: v.pipe(
    v.string('expected the name of a rule'),
    v.regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'expected the name of a rule such as setuid'),
  ),
  /** Where the rule is allowed to be broken; everywhere in the recipe and its packages without. */
  paths: v.optional(v.array(GlobSchema, 'expected a list of path patterns')),
  /** Why it is right here. */
  reason: v.pipe(LineSchema, v.minLength(1, 'expected the reason')),
});

export const LintSchema = v.strictObject({
  allow: v.array(AllowSchema, 'expected a list of rules that may be broken'),
});

export type LintAllow = v.InferOutput<typeof AllowSchema>;

/**
 * What a recipe may say. The published JSON Schema `index-schema/recipe.schema.json` is generated from the
 * schema in this file; `docs/recipes.md` explains every field.
 */
import * as v from 'valibot';
import { CapabilitySchema, DependencySchema, LineSchema, PackageNameSchema } from '#schema/fields';
import { ManifestSchema } from '#schema/manifest';
import { isVersion } from '#schema/version';
import { LintSchema } from './lint/schema.ts';
import { GlobSchema, PathRuleSchema } from './path-rules.ts';
import { RelativePath, SourceSchema } from './sources/schema.ts';

const Shell = v.pipe(
  v.string('expected shell text'),
  v.minLength(1, 'expected shell text that is not empty'),
);
const Text = LineSchema;

/** What a package says to the solver and the engine, beyond what the builder finds by itself. */
export const packageFields = {
  description: v.optional(Text),
  depends: v.optional(v.array(DependencySchema, 'expected a list of dependencies')),
  recommends: v.optional(v.array(DependencySchema, 'expected a list of dependencies')),
  provides: v.optional(v.array(CapabilitySchema, 'expected a list of capabilities')),
  providerPriority: v.optional(
    v.pipe(v.number('expected a number'), v.integer('expected an integer'), v.minValue(0)),
  ),
  replaces: v.optional(v.array(DependencySchema, 'expected a list of dependencies')),
  installIf: v.optional(v.array(DependencySchema, 'expected a list of dependencies')),
  users: ManifestSchema.entries.users,
  groups: ManifestSchema.entries.groups,
  alternatives: ManifestSchema.entries.alternatives,
  services: ManifestSchema.entries.services,
  scripts: ManifestSchema.entries.scripts,
  /** Files that an upgrade never overwrites once they were changed. */
  configFiles: v.optional(v.array(GlobSchema, 'expected a list of path patterns')),
};

const SubpackageSchema = v.strictObject({
  name: PackageNameSchema,
  files: v.pipe(v.array(GlobSchema, 'expected a list of path patterns'), v.minLength(1)),
  ...packageFields,
});

const stepFields = {
  buildDepends: v.optional(v.array(PackageNameSchema, 'expected a list of recipe names')),
  env: v.optional(
    v.record(
      v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of a variable')),
      v.string('expected a string'),
    ),
  ),
  prepare: v.optional(Shell),
  build: v.optional(Shell),
  check: v.optional(Shell),
  install: v.optional(Shell),
};

export const RecipeSchema = v.strictObject({
  name: PackageNameSchema,
  /** The semantic version, without the release. */
  version: v.pipe(
    v.string('expected a version such as "1.2.3", in quotes'),
    v.check((text) => isVersion(`${text}-r0`), 'expected a semantic version such as 1.2.3'),
  ),
  release: v.optional(
    v.pipe(v.number('expected a number'), v.integer('expected an integer'), v.minValue(0)),
    0,
  ),
  upstreamVersion: v.optional(Text),
  license: Text,
  /** Licence texts in the source folder; without it they are found by their names. */
  licenseFiles: v.optional(v.array(GlobSchema, 'expected a list of path patterns')),
  url: v.optional(Text),
  maintainer: v.optional(Text),
  /** Names of the software in databases of vulnerabilities. */
  cpe: v.optional(
    v.pipe(Text, v.regex(/^cpe:2\.3:[aho](?::\S+){10}$/, 'expected a CPE 2.3 name: cpe:2.3:a:…')),
  ),
  purl: v.optional(
    v.pipe(Text, v.regex(/^pkg:[a-z][a-z0-9.+-]*\/\S+$/, 'expected a package URL: pkg:TYPE/NAME')),
  ),
  /** `noarch` for data, otherwise the machine architectures that the recipe builds for. */
  arch: v.optional(
    v.union(
      [
        v.literal('noarch'),
        v.pipe(v.array(v.picklist(['x86_64', 'aarch64'], 'expected x86_64 or aarch64')), v.minLength(1)),
      ],
      'expected noarch or a list of x86_64 and aarch64',
    ),
    ['x86_64', 'aarch64'],
  ),
  sources: v.optional(v.array(SourceSchema, 'expected a list of sources'), []),
  /** Files beside the recipe, applied with `patch -p1` in this order. */
  patches: v.optional(v.array(RelativePath, 'expected a list of paths')),
  ...stepFields,
  /** What differs for one architecture: steps replace, lists and variables add. */
  perArch: v.optional(
    v.strictObject({
      x86_64: v.optional(v.strictObject(stepFields)),
      aarch64: v.optional(v.strictObject(stepFields)),
    }),
  ),
  ...packageFields,
  /** Owners and modes that differ from 0:0 and from what the build left. */
  owners: v.optional(v.array(PathRuleSchema)),
  subpackages: v.optional(v.array(SubpackageSchema)),
  /** False puts everything that no subpackage names in the main package: no -dev, no -doc. */
  split: v.optional(v.boolean('expected true or false'), true),
  /** Files for other processors than the package's: firmware and boot code. */
  foreignCode: v.optional(v.array(GlobSchema, 'expected a list of path patterns')),
  /** False leaves debug symbols in place. */
  strip: v.optional(v.boolean('expected true or false'), true),
  lint: v.optional(LintSchema),
});

export type Recipe = v.InferOutput<typeof RecipeSchema>;
export type Subpackage = v.InferOutput<typeof SubpackageSchema>;

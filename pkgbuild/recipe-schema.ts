/**
 * What a recipe may say. The published JSON Schema `index-schema/recipe.schema.json` is generated from the
 * schema in this file; `docs/recipes.md` explains every field.
 */
import * as v from 'valibot';
import { CapabilitySchema, DependencySchema, LineSchema, PackageNameSchema } from '#schema/fields';
import { ManifestSchema } from '#schema/manifest';
import { isVersion } from '#schema/version';
import { isLicenseExpression } from './license-expression.ts';
import { nearLicense } from './license-names.ts';
import { mapDebianVersion } from './sources/debian-version.ts';
import { LintSchema } from './lint/schema.ts';
import { GlobSchema, ownerFields, PathRuleSchema } from './path-rules.ts';
import { RelativePath, SourceSchema } from './sources/schema.ts';
import {
  ConditionSchema,
  InputsSchema,
  OptionsSchema,
  PipelineNameSchema,
  StepsSchema,
} from './step-schema.ts';

const Text = LineSchema;
const DebianNameSchema = v.pipe(
  v.string('expected the name of a Debian package'),
  v.regex(/^[a-z0-9][a-z0-9+.-]+$/, 'expected the name of a Debian package'),
);
const DirectoryPath = v.pipe(
  v.string('expected a path'),
  v.regex(
    /^(?!\/)(?!(?:.*\/)?\.\.?(?:\/|$))[^*?[]+$/,
    'expected a path relative to the root, without wildcards',
  ),
);

function isPattern(text: string): boolean {
  try {
    return new RegExp(`${text}|`).exec('')?.length === 2;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

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

/** What the packages of a recipe have; those that `icepkg pack` makes are described by their files. */
const builtFields = {
  ...packageFields,
  /** Directories that the package brings though nothing is in them. */
  directories: v.optional(
    v.array(v.strictObject({ path: DirectoryPath, ...ownerFields }), 'expected a list of directories'),
  ),
  /** Runs in a fresh root that holds only the package and what it needs. */
  test: v.optional(StepsSchema),
};

const SubpackageSchema = v.strictObject({
  /** With `forEach`, `${each}` stands for the item here and in every other text. */
  name: v.union(
    [PackageNameSchema, v.pipe(v.string(), v.regex(/^[A-Za-z0-9_+.-]*(?:\$\{each\}[A-Za-z0-9_+.-]*)+$/))],
    'expected a package name',
  ),
  files: v.optional(v.pipe(v.array(GlobSchema, 'expected a list of path patterns'), v.minLength(1))),
  /** A pipeline such as split/locales that says which files. */
  uses: v.optional(PipelineNameSchema),
  /** One subpackage for each item. */
  forEach: v.optional(v.pipe(v.array(v.string('expected text'), 'expected a list of texts'), v.minLength(1))),
  if: v.optional(ConditionSchema),
  ...builtFields,
});

const BuildDependSchema = v.union(
  [PackageNameSchema, v.strictObject({ name: PackageNameSchema, if: ConditionSchema })],
  'expected the name of a recipe, or name and if',
);

const stepFields = {
  buildDepends: v.optional(v.array(BuildDependSchema, 'expected a list of recipe names')),
  /** Debian packages of the machine that builds, whose commands the steps call. */
  hostDepends: v.optional(v.array(DebianNameSchema, 'expected a list of Debian packages')),
  /** A pipeline that gives the phases which the recipe has not. */
  uses: v.optional(PipelineNameSchema),
  with: v.optional(InputsSchema),
  env: v.optional(
    v.record(
      v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of a variable')),
      v.string('expected a string'),
    ),
  ),
  prepare: v.optional(StepsSchema),
  build: v.optional(StepsSchema),
  check: v.optional(StepsSchema),
  install: v.optional(StepsSchema),
};

/** What may differ for one architecture. */
const perArchFields = {
  sources: v.optional(v.array(SourceSchema, 'expected a list of sources')),
  patches: v.optional(v.array(RelativePath, 'expected a list of paths')),
  ...stepFields,
  ...builtFields,
  owners: v.optional(v.array(PathRuleSchema)),
  subpackages: v.optional(v.array(SubpackageSchema)),
  split: v.optional(v.boolean('expected true or false')),
  foreignCode: v.optional(v.array(GlobSchema, 'expected a list of path patterns')),
  strip: v.optional(v.boolean('expected true or false')),
};

/** Where new versions show. */
const UpdateSchema = v.strictObject({
  /** A Debian source package whose version follows upstream's. */
  debian: v.optional(PackageNameSchema),
  /** A page that lists releases. */
  url: v.optional(Text),
  /** A git repository whose tags are releases. */
  git: v.optional(Text),
  /** A regular expression; its first group is the version. */
  pattern: v.optional(
    v.pipe(Text, v.check(isPattern, 'expected a regular expression with one group for the version')),
  ),
  /** Versions to pass over. */
  ignore: v.optional(v.array(Text, 'expected a list of versions')),
  /** Only versions in this range. */
  within: v.optional(Text),
  /** Why nobody looks. */
  manual: v.optional(Text),
});

/** How a version of upstream's own is written; empty where there is no telling. */
function semanticSpelling(text: string): string {
  const version = mapDebianVersion(text)?.version;
  return version === undefined ? '' : `: version: '${version}' and upstreamVersion: '${text}'`;
}

function licenseSpelling(text: string): string {
  const guess = nearLicense(text);
  return guess === undefined
    ? 'such as MIT or GPL-2.0-or-later AND BSD-3-Clause; name others LicenseRef-NAME'
    : `and found ${text}: did you mean ${guess}?`;
}

export const RecipeSchema = v.strictObject({
  name: PackageNameSchema,
  /** The semantic version, without the release. */
  version: v.pipe(
    v.string('expected a version such as "1.2.3", in quotes'),
    v.check((text) => !isVersion(text), 'expected a version without the release, which goes under release'),
    v.check(
      (text) => isVersion(`${text}-r0`),
      ({ input }) => `expected a semantic version such as 1.2.3${semanticSpelling(input)}`,
    ),
  ),
  release: v.optional(
    v.pipe(v.number('expected a number'), v.integer('expected an integer'), v.minValue(0)),
    0,
  ),
  upstreamVersion: v.optional(Text),
  license: v.pipe(
    Text,
    v.check(isLicenseExpression, ({ input }) => `expected an SPDX expression ${licenseSpelling(input)}`),
  ),
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
  /** Choices of whoever builds. */
  options: v.optional(OptionsSchema),
  /** What differs for one architecture: lists and variables add, everything else replaces. */
  perArch: v.optional(
    v.strictObject({
      x86_64: v.optional(v.strictObject(perArchFields)),
      aarch64: v.optional(v.strictObject(perArchFields)),
    }),
  ),
  ...builtFields,
  /** Recipes whose packages are in the root of the test besides. */
  testDepends: v.optional(v.array(PackageNameSchema, 'expected a list of recipe names')),
  update: v.optional(UpdateSchema),
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

/** A recipe as it is written. */
export type Recipe = v.InferOutput<typeof RecipeSchema>;
export type Subpackage = v.InferOutput<typeof SubpackageSchema>;

/** Runs the rules over recipes and packages, and sorts out what a recipe allows. */
import * as path from 'node:path';
import { readHeader } from '#schema/container/read';
import { IcepkgError } from '#schema/error';
import type { Manifest } from '#schema/manifest';
import type { LoadedRecipe } from '../recipe.ts';
import type { Recipe } from '../recipe-schema.ts';
import { globToRegExp } from '../tree.ts';
import { placeText, type Keys, type Place } from '../yaml.ts';
import { needsAreKnown } from './metadata-rules.ts';
import { readPackageView } from './package-view.ts';
import { readRecipeView } from './recipe-view.ts';
import {
  SEVERITIES,
  type Around,
  type RecipeRule,
  type RecipeView,
  type Remark,
  type Rule,
  type Severity,
} from './rule.ts';
import { ALL_RULES, PACKAGE_RULES, RECIPE_RULES } from './rules.ts';
import type { LintAllow } from './schema.ts';

export interface Finding extends Omit<Remark, 'at'> {
  readonly rule: string;
  readonly severity: Severity;
  /** What was looked at: a recipe, or a package file without its ending. */
  readonly subject: string;
  /** Where the recipe says what is wrong; findings on packages have none. */
  readonly place?: Place;
  /** What to do about it. */
  readonly fix: string;
  /** The reason that the recipe gives for it. */
  readonly allowed?: string;
}

/** Looks at one recipe, by all rules or some. */
export function lintRecipe(
  read: Omit<RecipeView, 'ruleNames'>,
  rules: readonly RecipeRule[] = RECIPE_RULES,
): Finding[] {
  const view = { ...read, ruleNames: ALL_RULES.map(({ name }) => name) };
  const remarks = rules.map((rule): [Rule, Remark[]] => [rule, [...rule.check(view)]]);
  const place = (at: Keys | number): Place =>
    typeof at === 'number' ? { file: view.file, line: at, column: 1 } : view.place(at);
  return findings(view.recipe.name, remarks, view.recipe, place);
}

export interface LintedPackages {
  /** Package files, looked at together: what one needs another may provide. */
  readonly files: readonly string[];
  /** Packages that are there besides, and are not looked at themselves. */
  readonly around?: readonly Manifest[];
  /** There may be others yet: rules that judge by what is missing look only where all that a package needs is here. */
  readonly partial?: boolean;
  /** The recipe of that name, where it is known. */
  readonly recipeOf: (origin: string) => Recipe | undefined;
}

/**
 * Looks at packages, each beside those that can be installed with it.
 * @throws IcepkgError where a file is no sound package
 */
export function lintPackages({ files, around = [], partial = false, recipeOf }: LintedPackages): Finding[] {
  const known = [...files.map((file) => readHeader(file, file).manifest), ...around];
  return files.flatMap((file, index) => {
    const arch = known[index]?.arch;
    const recipe = recipeOf(known[index]?.origin ?? '');
    const beside = known.filter((one) => arch === 'noarch' || one.arch === arch || one.arch === 'noarch');
    const view = readPackageView(file, { around: beside, recipe });
    const all = !partial || needsAreKnown(view);
    const rules = PACKAGE_RULES.filter(({ needsAll = false }) => all || !needsAll);
    const remarks = rules.map((rule): [Rule, Remark[]] => [rule, [...rule.check(view)]]);
    return findings(path.basename(file, '.icepkg'), remarks, recipe);
  });
}

function findings(
  subject: string,
  remarks: readonly [Rule, readonly Remark[]][],
  recipe: Recipe | undefined,
  placeOf?: (at: Keys | number) => Place,
): Finding[] {
  const allow = recipe?.lint?.allow ?? [];
  const found = remarks.flatMap(([{ name, severity, fix }, list]) =>
    list.map(({ at = [], message, path: file }): Finding => {
      const reason = allow.find((one) => one.rule === name && covers(one, file))?.reason;
      return {
        rule: name,
        severity,
        subject,
        ...(placeOf === undefined ? {} : { place: placeOf(at) }),
        ...(file === undefined ? {} : { path: file }),
        message,
        fix,
        ...(reason === undefined ? {} : { allowed: reason }),
      };
    }),
  );
  return found.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

const covers = ({ paths }: LintAllow, file: string | undefined): boolean =>
  paths === undefined || (file !== undefined && paths.some((pattern) => globToRegExp(pattern).test(file)));

/** Findings of a severity, or a worse one, that no recipe allows. */
export function blocking(found: readonly Finding[], from: Severity = 'error'): Finding[] {
  const counts = (severity: Severity): boolean => SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(from);
  return found.filter(({ severity, allowed }) => allowed === undefined && counts(severity));
}

/** @throws IcepkgError `lint-failed` where there are findings that block */
export function refuseFindings(what: string, found: readonly Finding[], from: Severity = 'error'): void {
  const [first, ...more] = blocking(found, from);
  if (first === undefined) return;
  const others = more.length === 0 ? '' : `, and ${more.length} more`;
  const where = first.place === undefined ? what : placeText(first.place);
  throw new IcepkgError('lint-failed', `${where}: ${first.message} (${first.rule})${others}`, {
    hint: `${first.fix.replaceAll('`', '')} What is right as it is goes under lint.allow in the recipe, with the reason`,
    data: { findings: [first, ...more] },
  });
}

/** Looks at a recipe that is to be built. @throws IcepkgError `lint-failed` for an error */
export function refuseRecipe(loaded: LoadedRecipe): void {
  const alone = RECIPE_RULES.filter(({ needsAround = false }) => !needsAround);
  const view = readRecipeView(loaded, () => ({ recipes: new Set(), makers: new Map() }));
  refuseFindings(loaded.recipe.name, lintRecipe(view, alone));
}

/** @param around the recipes around it */
export const recipeWarnings = (loaded: LoadedRecipe, around: () => Around): Finding[] =>
  blocking(lintRecipe(readRecipeView(loaded, around)), 'warning');

/**
 * Looks at what a build made.
 * @param files package files
 * @param around what is known of the packages that they need
 * @returns the warnings
 * @throws IcepkgError `lint-failed` for an error
 */
export function refuseBuilt(
  recipe: Recipe,
  files: readonly string[],
  around: readonly Manifest[] = [],
): Finding[] {
  const found = lintPackages({ files, around, partial: true, recipeOf: () => recipe });
  refuseFindings(recipe.name, found);
  return blocking(found, 'warning');
}

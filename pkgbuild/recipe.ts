/** Reads recipes: YAML text in, a checked `Recipe` out, with errors that name file, line and column. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import { IcepkgError, isErrno } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { nearest } from './nearest.ts';
import { RecipeSchema, type Recipe } from './recipe-schema.ts';

/** A recipe and the folder that its patches and local sources are in. */
export interface LoadedRecipe {
  readonly recipe: Recipe;
  readonly folder: string;
  readonly file: string;
}

const RECIPE_FILE = 'recipe.yaml';
const MAX_RECIPE_BYTES = 1024 * 1024;

/**
 * Finds a recipe by its file, its folder, or its name below one of the `roots`.
 * @throws IcepkgError `not-found` naming every place that was looked at
 */
export function findRecipe(nameOrPath: string, roots: readonly string[]): LoadedRecipe {
  const tried: string[] = [];
  const places = [nameOrPath, path.join(nameOrPath, RECIPE_FILE)];
  if (!nameOrPath.includes('/'))
    places.push(...roots.map((root) => path.join(root, nameOrPath, RECIPE_FILE)));
  for (const place of places) {
    tried.push(place);
    if (fs.statSync(place, { throwIfNoEntry: false })?.isFile() === true)
      return loadRecipe(path.resolve(place));
  }
  const known = roots.flatMap(recipeNames);
  const guess = nearest(path.basename(nameOrPath), known);
  throw new IcepkgError('not-found', `no recipe named ${nameOrPath}: looked for ${tried.join(', ')}`, {
    hint:
      guess === undefined
        ? 'Give the name of a folder below recipes/, or the path of a recipe.yaml'
        : `Did you mean ${guess}?`,
  });
}

/** Names of the recipes below a folder; empty where there is none. */
export function recipeNames(root: string): string[] {
  try {
    return fs
      .readdirSync(root)
      .filter((name) => fs.existsSync(path.join(root, name, RECIPE_FILE)))
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** `recipes/` of the working folder, then the one that comes with icepkg. */
export function defaultRecipeRoots(): string[] {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const top = path.basename(path.dirname(here)) === 'dist' ? path.join(here, '../..') : path.join(here, '..');
  return [...new Set([path.resolve('recipes'), path.resolve(top, 'recipes')])];
}

function loadRecipe(file: string): LoadedRecipe {
  let text: string;
  try {
    if (fs.statSync(file).size > MAX_RECIPE_BYTES)
      throw new IcepkgError('format-invalid', `${file}: larger than ${MAX_RECIPE_BYTES} bytes, so no recipe`);
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT'))
      throw new IcepkgError('not-found', `${file}: no such recipe`, { cause: error });
    throw error;
  }
  return { recipe: parseRecipe(text, file), folder: path.dirname(file), file };
}

/**
 * Checks the text of a recipe.
 * @param file names the recipe in errors
 * @throws IcepkgError `format-invalid` with `file:line:column`, what was expected there, and the nearest known field
 */
export function parseRecipe(text: string, file: string): Recipe {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, version: '1.2' });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const broken = document.errors[0];
  if (broken !== undefined) {
    const message = (broken.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
    throw invalid(`${at(broken.pos[0])}: ${lowerFirst(message)}`);
  }
  const result = v.safeParse(RecipeSchema, document.toJS({ maxAliasCount: 100 }));
  if (result.success) return result.output;
  const { issue, keys } = deepest(result.issues[0]);
  const where = at(offsetOf(document, keys));
  const field = keys
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .replace(/^\./, '');
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const guess = nearest(String(keys.at(-1)), fieldsAt(RecipeSchema, keys.slice(0, -1)));
    throw invalid(
      `${where}: unknown field ${field}`,
      guess === undefined ? undefined : `Did you mean ${guess}?`,
    );
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined')
    throw invalid(`${where}: missing field ${field}`);
  throw invalid(`${where}: ${field === '' ? '' : `${field}: `}${lowerFirst(issue.message)}`);
}

type Key = string | number;
interface Issue {
  readonly type: string;
  readonly message: string;
  readonly expected: string | null;
  readonly received: string;
  readonly path?: readonly { readonly key: unknown }[] | undefined;
  readonly issues?: readonly Issue[] | undefined;
}

/**
 * A union reports every branch. What the author meant shows in a value that is wrong, or in a field that no branch
 * knows; otherwise the union's own words are the best there are.
 */
function deepest(issue: Issue, above: readonly Key[] = []): { issue: Issue; keys: Key[] } {
  const keys = [...above, ...(issue.path ?? []).map(({ key }) => key as Key)];
  const below = (issue.issues ?? []).filter((branch) => (branch.path?.length ?? 0) > 0);
  const known = fieldsAt(RecipeSchema, keys);
  const inner =
    below.find((branch) => branch.type !== 'strict_object') ??
    below.find((branch) => branch.expected === 'never' && !known.includes(String(branch.path?.at(-1)?.key)));
  return inner === undefined ? { issue, keys } : deepest(inner, keys);
}

/** Where the value of a path starts; for a missing key, where the innermost existing parent starts. */
function offsetOf(document: Document.Parsed, keys: readonly Key[]): number {
  for (let length = keys.length; length >= 0; length--) {
    const parent: unknown =
      length === 0 ? document.contents : document.getIn(keys.slice(0, length - 1), true);
    const key = keys[length - 1];
    if (
      typeof parent === 'object' &&
      parent !== null &&
      'items' in parent &&
      Array.isArray(parent.items) &&
      key !== undefined
    ) {
      for (const item of parent.items as unknown[]) {
        const name: unknown =
          typeof item === 'object' && item !== null && 'key' in item ? item.key : undefined;
        if (isNode(name) && name.toJSON() === key && name.range) return name.range[0];
      }
    }
    const node: unknown = length === 0 ? document.contents : document.getIn(keys.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

/** Names of the fields that the schema knows at a path. */
function fieldsAt(schema: unknown, keys: readonly Key[]): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const node = schema as Record<string, unknown>;
  if ('wrapped' in node) return fieldsAt(node['wrapped'], keys);
  if (Array.isArray(node['options'])) return node['options'].flatMap((option) => fieldsAt(option, keys));
  const [key, ...rest] = keys;
  if (key === undefined) return Object.keys(node['entries'] ?? {});
  if ('entries' in node) return fieldsAt((node['entries'] as Record<string, unknown>)[String(key)], rest);
  return fieldsAt(node['item'] ?? node['value'], rest);
}

const invalid = (message: string, hint?: string): IcepkgError =>
  new IcepkgError('format-invalid', message, {
    hint: hint ?? 'docs/recipes.md lists the fields of a recipe',
  });
const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** The recipe as it stands for one architecture: `perArch` is merged in and gone. */
export function forArch(recipe: Recipe, arch: MachineArch): Recipe {
  const { perArch, ...common } = recipe;
  const own = perArch?.[arch];
  if (own === undefined) return common;
  return {
    ...common,
    ...own,
    buildDepends: [...(common.buildDepends ?? []), ...(own.buildDepends ?? [])],
    env: { ...common.env, ...own.env },
  };
}

/** Architecture that the packages of a recipe carry when built for `arch`, or `undefined` where it does not build for it. */
export function packageArch(recipe: Recipe, arch: MachineArch): MachineArch | 'noarch' | undefined {
  if (recipe.arch === 'noarch') return 'noarch';
  return recipe.arch.includes(arch) ? arch : undefined;
}

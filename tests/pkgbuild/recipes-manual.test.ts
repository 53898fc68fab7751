/** What the manual shows of recipes is read by the loader and the linter, and lists exactly what there is. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ManifestSchema } from '#schema/manifest';
import { RecipeSchema, type Recipe } from '#pkgbuild/recipe-schema';
import { buildRecipes } from '#pkgbuild/build';
import { findPipeline, pipelineNames } from '#pkgbuild/pipeline';
import { findRecipe } from '#pkgbuild/recipe';
import { lintSubjects } from '#pkgbuild/lint/subjects';
import { buildRequest } from '../support/build-request.ts';

const page = (name: string): string =>
  fs.readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const RECIPES = page('recipes.md');
const PIPELINES = page('pipelines.md');

const OWN_RECIPES = fileURLToPath(new URL('../../recipes', import.meta.url));
/** Recipes that the examples build on. */
const NEIGHBOURS = 'busybox glibc libgcc libstdc++ musl ncurses nodejs openssl rust-std zlib'.split(' ');

let folder: string;
let neighbours: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-recipes-manual-'));
  neighbours = path.join(folder, 'neighbours');
  fs.mkdirSync(neighbours);
  for (const name of NEIGHBOURS) fs.symlinkSync(path.join(OWN_RECIPES, name), path.join(neighbours, name));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

interface Example {
  readonly page: string;
  readonly line: number;
  readonly text: string;
  /** A recipe from its name on; others are parts of one. */
  readonly whole: boolean;
}

function examplesOf(name: string): Example[] {
  const markdown = page(name);
  return [...markdown.matchAll(/^```yaml\n(.*?)^```/gms)].map(({ index, 1: text = '' }) => ({
    page: name,
    line: markdown.slice(0, index).split('\n').length,
    text,
    whole: /^name: .*\nversion: /.test(text),
  }));
}

const EXAMPLES = ['recipes.md', 'pipelines.md', 'lint.md', 'authoring.md'].flatMap(examplesOf);
const isPipeline = ({ text }: Example): boolean => text.startsWith('# pipelines/');

/** A part of a recipe, such as a list of sources, in a recipe that has the rest. */
function wholeText({ text, whole }: Example): string {
  if (whole) return text;
  const part = text.startsWith('- ') ? `sources:\n${text.replaceAll(/^(?=.)/gm, '  ')}` : text;
  const rest = {
    name: 'hello',
    version: "'1.0.0'",
    license: 'MIT',
    install: 'install -Dm644 hello "$DESTDIR/etc/hello"',
  };
  const missing = Object.entries(rest).filter(([field]) => !new RegExp(`^${field}:`, 'm').test(part));
  return `${missing.map(([field, value]) => `${field}: ${value}\n`).join('')}${part}`;
}

/** Makes the folder of a recipe, with the files that it names. */
function write(example: Example): string {
  const text = wholeText(example);
  const recipe = parse(text) as Recipe;
  const home = path.join(folder, `${example.page}-${example.line}`, recipe.name);
  const put = (name: string, content: string): void => {
    fs.mkdirSync(path.dirname(path.join(home, name)), { recursive: true });
    fs.writeFileSync(path.join(home, name), content);
  };
  put('recipe.yaml', text);
  for (const source of recipe.sources ?? []) if ('path' in source) put(source.path, 'text\n');
  for (const patch of recipe.patches ?? []) put(patch, 'Why.\n--- a/x\n+++ b/x\n');
  return home;
}

function remarksOn(home: string, severities: readonly string[]): string[] {
  const { findings, problem } = lintSubjects([home], [path.dirname(home), neighbours]);
  if (problem !== undefined) throw problem;
  return findings
    .filter(({ severity }) => severities.includes(severity))
    .map(({ rule, message }) => `${rule}: ${message}`);
}

const RECIPE_EXAMPLES = EXAMPLES.filter((one) => !isPipeline(one));

test.each(RECIPE_EXAMPLES)('$page:$line is read by the loader, and lint finds no error', (example) => {
  const home = write(example);
  expect(findRecipe(home, []).recipe.name).not.toBe('');
  expect(remarksOn(home, example.whole ? ['error', 'warning'] : ['error'])).toEqual([]);
});

test('an example that needs no compiler builds as it stands', async () => {
  const example = RECIPE_EXAMPLES.find(({ text }) => text.startsWith('name: hello-data\n'));
  if (example === undefined) throw new Error('the manual has no recipe hello-data');
  const [built] = await buildRecipes(buildRequest(folder, [write(example)]));
  expect(built?.packages).toMatchObject([{ name: 'hello-data' }]);
});

test('a pipeline of the manual is read as one', () => {
  const found = EXAMPLES.filter(isPipeline);
  expect(found).not.toEqual([]);
  for (const { text } of found) {
    const name = /^# pipelines\/(.*)\.yaml/.exec(text)?.[1] ?? '';
    fs.mkdirSync(path.join(folder, 'pipelines'), { recursive: true });
    fs.writeFileSync(path.join(folder, 'pipelines', `${name}.yaml`), text);
    expect(findPipeline(name, folder)?.name).toBe(name);
  }
});

/** Text below a heading, up to the next one of its rank. */
const section = (markdown: string, heading: string): string =>
  markdown.split(`\n${heading}\n`)[1]?.split(/\n##? /)[0] ?? '';
const rows = (text: string): string[][] =>
  [...text.matchAll(/^\| (.*) \|$/gm)].map(({ 1: row = '' }) => row.split(/ \| /).map((cell) => cell.trim()));
const code = (text: string): string => `\`${text}\``;

test('every pipeline has its inputs, with types, defaults and meanings, and a recipe that uses it', () => {
  for (const name of pipelineNames(neighbours)) {
    const pipeline = findPipeline(name, neighbours);
    const heading = name.startsWith('split/') ? '## split/dev, split/doc, split/locales' : `## ${name}`;
    const text = section(PIPELINES, heading);
    const inputs = Object.entries(pipeline?.inputs ?? {});
    expect(
      rows(text).filter(([first = '']) => /^`[a-z_]+`$/.test(first)),
      name,
    ).toEqual(
      inputs.map(([input, { type, default: value, description }]) => [
        code(input),
        type,
        value === undefined || value === '' ? '' : code(String(value)),
        description,
      ]),
    );
    for (const [input, { default: value }] of inputs)
      if (value === undefined) expect(text, name).toMatch(new RegExp(`${code(input)}.* must be given`));
    for (const pattern of pipeline?.files ?? []) expect(text, name).toContain(code(pattern));
    for (const command of pipeline?.hostDepends ?? []) expect(text, name).toContain(command);
    expect(text, name).toMatch(new RegExp(`\\buses: ${name}$`, 'm'));
    expect(PIPELINES.split('\n## ')[0], name).toContain(`[\`${name.replace(/^split\/.*/, 'split/…')}\`]`);
    expect(RECIPES, name).toContain(code(name));
  }
});

/** What the first column of a table names. */
const namedIn = (text: string): string[] =>
  rows(text)
    .flatMap(([first = '']) => [...first.matchAll(/`([A-Za-z]+)`/g)].map((match) => match[1] ?? ''))
    .toSorted();

test('the table of fields has every field of a recipe, and no other', () => {
  const fields = section(RECIPES, '## Fields').split('\n### ')[0] ?? '';
  expect(namedIn(fields)).toEqual(Object.keys(RecipeSchema.entries).toSorted());
});

test.each([
  ['Users and groups', 'users'],
  ['Services', 'services'],
] as const)('the table of %s has every field that a manifest has', (title, list) => {
  const text = section(RECIPES, `#### ${title}`).split('\n#### ')[0] ?? '';
  const plain = text.replaceAll(/^\| (`[a-z]+`) .*/gm, '| $1 |');
  expect(namedIn(plain)).toEqual(Object.keys(ManifestSchema.entries[list].wrapped.item.entries).toSorted());
});

/** Writes a first recipe for a source, from what can be read in it. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { stringify } from 'yaml';
import { IcepkgError } from '#schema/error';
import { findRecipe, parseRecipe, recipeNames } from '../recipe.ts';
import { schemaComment } from '../schema-comment.ts';
import { mapDebianVersion } from '../sources/debian-version.ts';
import { readDebianCopyright } from '../sources/debian-copyright.ts';
import { queryApt } from '../sources/debian.ts';
import { planBuild, type BuildPlan } from './build-system.ts';
import { parseControl, relationNames, type Stanza } from './control.ts';
import { fetchFresh, type FirstOrigin, type FreshSource } from './fresh-source.ts';
import { recogniseLicense } from './license-text.ts';
import { unpackSource, type UnpackedSource } from './source-tree.ts';

export interface NewRecipeRequest {
  readonly name: string;
  readonly origin: FirstOrigin;
  /** The recipe's folder is made in it. */
  readonly into: string;
  /** Folders of recipes to depend on. */
  readonly roots: readonly string[];
  readonly cacheFolder: string;
}

export interface NewRecipe {
  readonly file: string;
  readonly system: string;
  /** What the author still has to look at; whole sentences. */
  readonly remarks: readonly string[];
}

/**
 * Fetches the source, looks into it and writes `INTO/NAME/recipe.yaml`.
 * @throws IcepkgError `usage` where there is one already
 */
export async function newRecipe(request: NewRecipeRequest): Promise<NewRecipe> {
  const folder = path.join(request.into, request.name);
  const file = path.join(folder, 'recipe.yaml');
  if (fs.existsSync(file))
    throw new IcepkgError('usage', `${file}: there is a recipe already`, {
      hint: `Give it another name, or raise its version: icepkg recipe bump ${request.name} VERSION`,
    });
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-new-'));
  try {
    const source = await fetchFresh(request.origin, request.cacheFolder);
    const tree = await unpackSource(source.path, scratch);
    const plan = planBuild(tree);
    const facts = await gather(request, source, tree);
    const text = `${schemaComment(folder)}${recipeText(facts, plan)}`;
    parseRecipe(text, file);
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(file, text);
    return { file, system: plan.system, remarks: [...facts.remarks, ...plan.remarks] };
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

interface Facts {
  readonly name: string;
  readonly version: string;
  readonly upstreamVersion: string | undefined;
  readonly description: string | undefined;
  readonly license: string;
  readonly url: string | undefined;
  readonly source: FreshSource;
  readonly origin: FirstOrigin;
  readonly buildDepends: readonly string[];
  readonly remarks: readonly string[];
}

async function gather(request: NewRecipeRequest, source: FreshSource, tree: UnpackedSource): Promise<Facts> {
  const remarks: string[] = [];
  const version = versionOf(source);
  const license = licenseOf(source, tree);
  if (license.remark !== undefined) remarks.push(license.remark);
  const description = await descriptionOf(request, source, tree);
  if (description === undefined) remarks.push('Say in one line what it is, under description.');
  const { known, unknown } = await dependenciesOf(request, source, tree);
  for (const name of unknown)
    remarks.push(`It may use ${name}, which no recipe here makes: see that the build leaves it out.`);
  return {
    name: request.name,
    ...version,
    description,
    license: license.expression,
    url: source.dsc?.['homepage'] ?? homepage(request.origin),
    source,
    origin: request.origin,
    buildDepends: ['musl', ...(usesKernel(tree) ? ['linux-headers'] : []), ...known],
    remarks,
  };
}

const usesKernel = (tree: UnpackedSource): boolean =>
  tree.codeMatches(/^\s*#\s*include\s*<(?:linux|asm|mtd|scsi|rdma|sound|drm|misc)\//m);

function versionOf({ file, dsc }: FreshSource): { version: string; upstreamVersion: string | undefined } {
  const named = /(?:^|[_-])v?(\d[A-Za-z0-9.+~]*?)(?:\.orig)?\.(?:tar\.[a-z0-9]+|t[gx]z|tbz2?)$/.exec(
    file,
  )?.[1];
  const debian = dsc?.['version']?.replace(/^\d+:/, '').replace(/-[^-]+$/, '');
  // What Debian added when it left files out is no part of upstream's version.
  const upstream = (debian ?? named ?? '').replace(/[+.~](?:dfsg|ds|repack)[\d.]*$/, '');
  const mapped = mapDebianVersion(upstream);
  if (mapped === undefined)
    throw new IcepkgError('usage', `${file}: does not name a version`, {
      hint: 'Give the address of an archive whose name holds the version, such as demo-1.2.3.tar.gz',
    });
  const { version } = mapped;
  return { version, upstreamVersion: upstream === version ? undefined : upstream };
}

interface License {
  readonly expression: string;
  /** Why whoever writes the recipe should look at it. */
  readonly remark?: string;
}

/** Texts are believed before what Debian says of single files, because they state what upstream wants. */
function licenseOf({ copyright }: FreshSource, tree: UnpackedSource): License {
  const statements = tree.statements();
  const texts = tree.licenseTexts().map((text) => recogniseLicense(text, statements));
  const known = [...new Set(texts.filter((id) => id !== undefined))].join(' AND ');
  if (known !== '' && !texts.includes(undefined)) return { expression: known };
  const said = copyright === undefined ? undefined : readDebianCopyright(copyright);
  if (said?.expression !== undefined) {
    const unmapped =
      said.unmapped.length === 0 ? '' : `, which has names that SPDX has not (${said.unmapped.join(', ')})`;
    return {
      expression: said.expression,
      remark: `The licence is what Debian's copyright file says${unmapped}: no text of the source was recognised, so compare it.`,
    };
  }
  if (known !== '')
    return {
      expression: known,
      remark: `The licence is that of one text, ${known}; others were not recognised: read them.`,
    };
  return {
    expression: 'LicenseRef-Unknown',
    remark: 'The licence was not recognised: read it and write its SPDX expression under license.',
  };
}

async function descriptionOf(
  { cacheFolder }: NewRecipeRequest,
  { dsc }: FreshSource,
  tree: UnpackedSource,
): Promise<string | undefined> {
  const said = dsc === undefined ? statedDescription(tree) : await debianDescription(dsc, cacheFolder);
  const plain = said
    ?.split('\n')[0]
    ?.replace(/^(?:an?|the)\s+/i, '')
    .replace(/\.$/, '')
    .trim();
  return plain === undefined || plain === '' ? undefined : plain.charAt(0).toUpperCase() + plain.slice(1);
}

async function debianDescription(dsc: Stanza, cacheFolder: string): Promise<string | undefined> {
  const binaries = relationNames(dsc['binary'] ?? '');
  const name =
    binaries.find((binary) => binary === dsc['source']) ??
    binaries.find((binary) => !/-(?:dev|doc|udeb|dbg|common|data)$/.test(binary)) ??
    binaries[0];
  if (name === undefined) return undefined;
  const [stanza] = parseControl(await queryApt(['show', name], cacheFolder));
  return stanza?.['description-en'] ?? stanza?.['description'];
}

function statedDescription(tree: UnpackedSource): string | undefined {
  const cargo = /^description\s*=\s*"([^"]+)"/m.exec(tree.read('Cargo.toml'))?.[1];
  const node = /"description"\s*:\s*"([^"]+)"/.exec(tree.read('package.json'))?.[1];
  const pc = tree.top
    .filter((name) => /\.pc(?:\.in)?$/.test(name))
    .map((name) => /^Description:\s*(.+)$/m.exec(tree.read(name))?.[1]);
  return cargo ?? node ?? pc.find((text) => text !== undefined);
}

const homepage = (origin: FirstOrigin): string | undefined =>
  'url' in origin && /^https?:/.test(origin.url)
    ? /^https?:\/\/[^/]+\/(?:[^/]+\/[^/]+)?/.exec(origin.url)?.[0]
    : undefined;

interface Dependencies {
  /** Names of recipes. */
  readonly known: readonly string[];
  /** Names of Debian packages or pkg-config modules. */
  readonly unknown: readonly string[];
}

/** What Debian builds it with, or else the pkg-config modules that the build asks for, in recipes. */
async function dependenciesOf(
  { roots, cacheFolder, name }: NewRecipeRequest,
  { dsc }: FreshSource,
  tree: UnpackedSource,
): Promise<Dependencies> {
  const recipes = recipesByName(roots);
  const wanted = dsc === undefined ? modulesOf(tree) : await debianSources(dsc, cacheFolder);
  const known = new Set<string>();
  const unknown = new Set<string>();
  for (const [package_, names] of wanted) {
    const recipe = names.map((one) => recipes.get(one)).find((one) => one !== undefined);
    if (recipe === undefined) unknown.add(package_);
    else if (recipe !== name && recipe !== 'musl') known.add(recipe);
  }
  return { known: [...known].toSorted(), unknown: [...unknown].toSorted() };
}

/** Recipes by their own names and by those of the Debian source packages that they are made from. */
function recipesByName(roots: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const root of roots)
    for (const name of recipeNames(root)) {
      if (!found.has(name)) found.set(name, name);
      for (const source of sourcesOf(path.join(root, name))) if (!found.has(source)) found.set(source, name);
    }
  return found;
}

function sourcesOf(folder: string): string[] {
  try {
    return findRecipe(folder, []).recipe.sources.flatMap((source) =>
      'from' in source && 'file' in source
        ? source.from.flatMap((place) => ('debian' in place ? [place.debian] : []))
        : [],
    );
  } catch (error) {
    if (error instanceof IcepkgError) return [];
    throw error;
  }
}

/** Debian's own tools, and headers that `usesKernel` finds by their use. */
const NO_LIBRARY = /^(?:dpkg|linux-libc|libc6|libpython.*|python.*)-dev$/;

/** Libraries for development that Debian needs, each with the source packages it is made from. */
async function debianSources(dsc: Stanza, cacheFolder: string): Promise<[string, string[]][]> {
  const libraries = relationNames(dsc['build-depends'] ?? '').filter(
    (name) => name.endsWith('-dev') && !NO_LIBRARY.test(name),
  );
  if (libraries.length === 0) return [];
  const stanzas = parseControl(await queryApt(['show', '--no-all-versions', ...libraries], cacheFolder));
  return libraries.map((name) => {
    const stanza = stanzas.find((one) => one['package'] === name);
    return [name, [stanza?.['source']?.split(' ')[0] ?? name, name.replace(/-dev$/, '')]];
  });
}

const MODULES = [
  /PKG_CHECK_MODULES\(\s*\[?\w+\]?\s*,\s*\[?([^\],)]+)/g,
  /pkg_check_modules\(\s*\w+\s+(?:REQUIRED\s+|IMPORTED_TARGET\s+)*([^)]+)\)/g,
  /\bdependency\(\s*'([^']+)'/g,
];

function modulesOf(tree: UnpackedSource): [string, string[]][] {
  const text = ['configure.ac', 'configure.in', 'CMakeLists.txt', 'meson.build']
    .map((file) => tree.read(file))
    .join('\n');
  const names = MODULES.flatMap((pattern) => Array.from(text.matchAll(pattern)))
    .flatMap((match) => (match[1] ?? '').replaceAll(/[<>=]+\s*[\d.]+/g, ' ').split(/\s+/))
    .filter((name) => /^[A-Za-z][\w.+-]*$/.test(name));
  return [...new Set(names)].map((name) => {
    const plain = name.toLowerCase().replace(/[-_]?\d[\d.]*$/, '');
    return [name, [name, plain, plain.replace(/^lib/, '')]];
  });
}

const scalar = (text: string): string => stringify(text, { lineWidth: 0, singleQuote: true }).trim();

function recipeText(facts: Facts, plan: BuildPlan): string {
  const { name, version, upstreamVersion, description, license, url, source, origin } = facts;
  const place = 'url' in origin ? `url: ${scalar(origin.url)}` : `debian: ${origin.debian}`;
  const field = (key: string, value: string | undefined): string[] =>
    value === undefined ? [] : [`${key}: ${scalar(value)}`];
  const quoted = (key: string, value: string | undefined): string[] =>
    value === undefined ? [] : [`${key}: '${value}'`];
  const step = (key: 'prepare' | 'build' | 'install'): string[] => {
    const text = plan.steps?.[key];
    return text === undefined
      ? []
      : [
          `${key}: |`,
          ...text
            .trimEnd()
            .split('\n')
            .map((line) => `  ${line}`),
        ];
  };
  const list = (key: string, items: readonly string[] = []): string[] =>
    items.length === 0 ? [] : [`${key}: [${items.map(scalar).join(', ')}]`];
  return [
    ...field('name', name),
    ...quoted('version', version),
    ...quoted('upstreamVersion', upstreamVersion),
    ...field('description', description),
    ...field('license', license),
    ...field('url', url),
    ...field('arch', plan.arch),
    ...('debian' in origin ? [`update: { debian: ${origin.debian} }`] : []),
    'sources:',
    `  - file: ${scalar(source.file)}`,
    `    sha256: ${source.sha256}`,
    '    from:',
    `      - ${place}`,
    ...list('buildDepends', plan.arch === 'noarch' ? [] : facts.buildDepends),
    ...list('hostDepends', plan.hostDepends),
    ...field('uses', plan.uses),
    ...inputLines(plan.with),
    ...step('prepare'),
    ...step('build'),
    ...step('install'),
    ...installLines(plan.programs),
    '',
  ].join('\n');
}

const installLines = (programs: readonly string[] | undefined): string[] =>
  programs === undefined
    ? []
    : [
        'install:',
        '  - uses: install',
        `    with: { files: [${programs.map(scalar).join(', ')}], to: usr/bin, mode: '0755' }`,
      ];

/** One input a line; words in a row. */
function inputLines(inputs: BuildPlan['with'] = {}): string[] {
  const entries = Object.entries(inputs);
  if (entries.length === 0) return [];
  const value = (input: string | boolean | readonly string[]): string => {
    if (typeof input === 'boolean') return String(input);
    return typeof input === 'string' ? scalar(input) : `[${input.map(scalar).join(', ')}]`;
  };
  return ['with:', ...entries.map(([name, input]) => `  ${name}: ${value(input)}`)];
}

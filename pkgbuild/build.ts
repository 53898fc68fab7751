/** Recipes in, packages out: order, look up in the cache, build what is missing, deliver. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { makeFolder } from '#engine/make-folder';
import type { Codec } from '#schema/container/codec';
import { signPackage } from '#schema/container/write';
import { IcepkgError, isErrno } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import type { PrivateKey } from '#schema/keys';
import { assemblePackages, type BuiltPackage } from './assemble.ts';
import { buildKey } from './build-key.ts';
import { BUILD_EPOCH } from './epoch.ts';
import { refuseBuilt } from './lint/lint.ts';
import { collectLicenses } from './licenses.ts';
import { buildOrder, type BuildNode } from './order.ts';
import { writeDocuments } from './provenance/write.ts';
import { defaultRecipeRoots, findRecipe } from './recipe.ts';
import { checkOptions, type Options } from './resolve-recipe.ts';
import { sha256File } from './sources/cache.ts';
import { withBuiltTree } from './workspace.ts';

export interface BuildRequest {
  /** Names, folders or files of recipes. */
  readonly recipes: readonly string[];
  readonly arch: MachineArch;
  /** Options of the named recipes that are on or off. */
  readonly options?: Options;
  /** Folders of recipes; `recipes/` without. */
  readonly roots?: readonly string[];
  readonly cacheFolder: string;
  /** Folder that receives the package files. */
  readonly output: string;
  readonly keys: readonly PrivateKey[];
  readonly codec: Codec;
  readonly jobs: number;
  readonly check: boolean;
  /** Build the named recipes twice, apart from the cache, and compare the bytes. */
  readonly checkReproducible: boolean;
  readonly onProgress: (progress: BuildProgress) => void;
  readonly signal?: AbortSignal;
}

interface BuildProgress {
  readonly recipe: string;
  readonly arch: string;
  /** `cached`, a phase such as `build`, or `done`. */
  readonly phase: string;
}

export interface BuiltRecipe {
  readonly recipe: string;
  readonly arch: string;
  /** Digest of everything that went in. */
  readonly key: string;
  readonly cached: boolean;
  /** True where two builds were compared and found equal. */
  readonly reproducible: boolean;
  readonly packages: readonly BuiltPackage[];
}

const RESULT_FILE = 'built.json';

/**
 * Builds the recipes and, before them, the build dependencies that are not in the cache.
 * @returns every recipe that took part, in build order
 */
export async function buildRecipes(request: BuildRequest): Promise<BuiltRecipe[]> {
  const roots = request.roots ?? defaultRecipeRoots();
  const named = request.recipes.map((name) => findRecipe(name, roots));
  checkOptions(request.options ?? {}, named);
  const asked = new Set(named.map(({ recipe }) => recipe.name));
  const keys = new Map<BuildNode, string>();
  const results: BuiltRecipe[] = [];
  for (const node of buildOrder(named, request.arch, roots, request.options)) {
    const dependencyKeys = node.dependencies.map((dependency) => keyOf(keys, dependency));
    const key = await buildKey(node, dependencyKeys, {
      codec: request.codec,
      epoch: BUILD_EPOCH,
    });
    keys.set(node, key);
    const sysroot = node.dependencies.flatMap((dependency) =>
      sysrootFiles(buildFolder(request, keyOf(keys, dependency))),
    );
    const reproducible = request.checkReproducible && asked.has(node.recipe.name);
    const cached = !reproducible && isBuilt(buildFolder(request, key));
    if (cached) request.onProgress({ recipe: node.recipe.name, arch: node.arch, phase: 'cached' });
    else await buildOne(node, { request, key, sysroot, reproducible });
    const packages = await deliver(buildFolder(request, key), request);
    const dependencies = node.dependencies.flatMap((dependency) =>
      readResult(buildFolder(request, keyOf(keys, dependency))).filter(({ role }) => role !== 'doc'),
    );
    await writeDocuments(
      { node, key, codec: request.codec, epoch: BUILD_EPOCH, dependencies },
      { folder: request.output, packages, keys: request.keys },
    );
    results.push({ recipe: node.recipe.name, arch: node.arch, key, cached, reproducible, packages });
  }
  return results;
}

interface OneBuild {
  readonly request: BuildRequest;
  readonly key: string;
  readonly sysroot: readonly string[];
  readonly reproducible: boolean;
}

/** Leaves the result in the cache, whole or not at all. */
async function buildOne(node: BuildNode, { request, key, sysroot, reproducible }: OneBuild): Promise<void> {
  const builds = path.join(request.cacheFolder, 'builds');
  makeFolder(builds);
  const first = fs.mkdtempSync(path.join(builds, '.build-'));
  const second = fs.mkdtempSync(path.join(builds, '.again-'));
  const tell = (phase: string): void =>
    request.onProgress({ recipe: node.recipe.name, arch: node.arch, phase });
  const into = async (folder: string): Promise<void> => {
    const options = {
      cacheFolder: request.cacheFolder,
      sysroot,
      epoch: BUILD_EPOCH,
      jobs: request.jobs,
      check: request.check,
      onPhase: tell,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    };
    await withBuiltTree(node, options, async (tree, { configFiles }, sources) => {
      tell('pack');
      const { codec } = request;
      const packages = await assemblePackages(node, tree, {
        output: folder,
        epoch: BUILD_EPOCH,
        codec,
        configFiles,
        licenses: collectLicenses(sources, node.recipe),
      });
      const files = packages.map(({ file }) => file);
      refuseBuilt(node.recipe, folder, files);
      fs.writeFileSync(path.join(folder, RESULT_FILE), JSON.stringify(packages));
    });
  };
  try {
    await into(first);
    if (reproducible) {
      await into(second);
      compare(node, first, second);
    }
    const final = buildFolder(request, key);
    // The same key means the same bytes, so whoever was first may stay, unless it was damaged.
    if (!isBuilt(final)) {
      fs.rmSync(final, { recursive: true, force: true });
      fs.renameSync(first, final);
    }
    tell('done');
  } finally {
    fs.rmSync(first, { recursive: true, force: true });
    fs.rmSync(second, { recursive: true, force: true });
  }
}

function compare(node: BuildNode, first: string, second: string): void {
  const again = new Map(readResult(second).map((built) => [built.name, built]));
  const different = readResult(first).filter((built) => again.get(built.name)?.sha256 !== built.sha256);
  if (different.length === 0) return;
  throw new IcepkgError(
    'build-failed',
    `${node.recipe.name} for ${node.arch}: two builds gave different bytes in ${different.map(({ file }) => file).join(', ')}`,
    {
      hint: 'Look for times, random names and file orders in the build; $SOURCE_DATE_EPOCH is the only clock',
    },
  );
}

const buildFolder = (request: BuildRequest, key: string): string =>
  path.join(request.cacheFolder, 'builds', key);

function keyOf(keys: ReadonlyMap<BuildNode, string>, node: BuildNode): string {
  const key = keys.get(node);
  if (key === undefined) throw new Error(`${node.recipe.name} is not built before what needs it`);
  return key;
}

function readResult(folder: string): BuiltPackage[] {
  return JSON.parse(fs.readFileSync(path.join(folder, RESULT_FILE), 'utf8')) as BuiltPackage[];
}

/** True where the cache holds the packages of a build, undamaged. */
function isBuilt(folder: string): boolean {
  try {
    return readResult(folder).every(({ file, sha256 }) => sha256File(path.join(folder, file)) === sha256);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Documentation has no place in a sysroot. */
const sysrootFiles = (folder: string): string[] =>
  readResult(folder)
    .filter(({ role }) => role !== 'doc')
    .map(({ file }) => path.join(folder, file));

/** Copies the packages of a build out of the cache, where they are unsigned, and signs them on the way. */
async function deliver(folder: string, { output, keys }: BuildRequest): Promise<BuiltPackage[]> {
  makeFolder(output);
  const delivered: BuiltPackage[] = [];
  for (const built of readResult(folder)) {
    const to = path.join(output, built.file);
    delivered.push({ ...built, ...(await signPackage(path.join(folder, built.file), keys, to)) });
  }
  return delivered;
}

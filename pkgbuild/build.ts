/** Recipes in, packages out: order, look up in the cache, build what is missing, test, deliver. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { makeFolder } from '#engine/make-folder';
import type { Codec } from '#schema/container/codec';
import { signPackage } from '#schema/container/write';
import type { MachineArch } from '#schema/fields';
import type { PrivateKey } from '#schema/keys';
import { assemblePackages, type BuiltPackage } from './assemble.ts';
import { keyDocument, keyOfDocument } from './build-key.ts';
import {
  buildFolder,
  isBuilt,
  markTested,
  readFindings,
  readResult,
  testedBy,
  writeFindings,
  writeResult,
} from './cached-build.ts';
import { compareBuilds } from './compare-builds.ts';
import { BUILD_EPOCH } from './epoch.ts';
import { hasFailed, openFailed } from './failed-build.ts';
import {
  declaredVersions,
  hostFolder,
  hostPackages,
  hostVersions,
  type HostPackage,
} from './host-commands.ts';
import { keyRecord, writeKeyRecord } from './key-record.ts';
import { recipeWarnings, refuseBuilt, refuseRecipe, type Finding } from './lint/lint.ts';
import { recipesIn } from './lint/recipe-view.ts';
import type { Around } from './lint/rule.ts';
import { collectLicenses } from './licenses.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { buildOrder, type BuildNode } from './order.ts';
import { writeDocuments } from './provenance/write.ts';
import { defaultRecipeRoots, findRecipe } from './recipe.ts';
import { checkOptions, type Options } from './resolve-recipe.ts';
import { buildRoot, manifestsAround, packagesOf, rootLines, type RootPackage } from './root.ts';
import { runInOrder } from './schedule.ts';
import { testDigest, testPackages, testsOf } from './test-packages.ts';
import { logFile, withBuiltTree } from './workspace.ts';

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
  /** Recipes that are built at the same time; one without. */
  readonly parallel?: number;
  /** Go on in the kept tree of the named recipe where it failed. The result is delivered, but not kept in the cache. */
  readonly resume?: boolean;
  readonly limits?: Limits;
  readonly onProgress: (progress: BuildProgress) => void;
  readonly signal?: AbortSignal;
}

export interface BuildProgress {
  readonly recipe: string;
  readonly arch: string;
  /** A phase such as `build`; at last `cached`, `done` or `failed`. */
  readonly phase: string;
  /** File that the steps write to. */
  readonly log: string;
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
  /** What the linter warns of in the recipe and in the packages; empty for dependencies that were in the cache. */
  readonly findings: readonly Finding[];
  /** How long it took. */
  readonly seconds: number;
}

/** What became of one recipe of many. */
export type BuildOutcome =
  | { readonly state: 'built' | 'cached'; readonly built: BuiltRecipe }
  | { readonly state: 'failed'; readonly recipe: string; readonly arch: string; readonly error: Error }
  | { readonly state: 'blocked'; readonly recipe: string; readonly arch: string; readonly by: string };

/**
 * Builds the recipes and, before them, the build dependencies that are not in the cache.
 * @returns every recipe that took part, in build order
 * @throws the first failure
 */
export async function buildRecipes(request: BuildRequest): Promise<BuiltRecipe[]> {
  const outcomes = await buildGraph(request, false);
  const results: BuiltRecipe[] = [];
  for (const outcome of outcomes) {
    if (outcome.state === 'failed') throw outcome.error;
    if (outcome.state !== 'blocked') results.push(outcome.built);
  }
  return results;
}

/** Builds what can be built: after a failure it goes on with what does not need what failed. */
export const buildEverything = (request: BuildRequest): Promise<BuildOutcome[]> => buildGraph(request, true);

/** Opens a shell where the build of a recipe failed. @returns its exit status */
export function openFailedBuild(request: BuildRequest): Promise<number> {
  const { nodes } = graphOf(request);
  const node = nodes.at(-1);
  if (node === undefined) throw new Error('a graph of one recipe has at least that one');
  return openFailed(request.cacheFolder, node);
}

interface Graph {
  readonly nodes: readonly BuildNode[];
  /** Names of the recipes that were asked for. */
  readonly asked: ReadonlySet<string>;
  /** Folders of recipes that they were looked for in. */
  readonly roots: readonly string[];
}

function graphOf(request: BuildRequest): Graph {
  const roots = request.roots ?? defaultRecipeRoots();
  const named = request.recipes.map((name) => findRecipe(name, roots));
  checkOptions(request.options ?? {}, named);
  return {
    nodes: buildOrder(named, request.arch, roots, request.options),
    asked: new Set(named.map(({ recipe }) => recipe.name)),
    roots: [...named.map(({ folder }) => path.dirname(folder)), ...roots],
  };
}

async function buildGraph(request: BuildRequest, goOn: boolean): Promise<BuildOutcome[]> {
  const { nodes, asked, roots } = graphOf(request);
  const host = await hostPackages();
  if (!goOn) {
    for (const { loaded } of nodes) refuseRecipe(loaded);
    versionsFor(nodes, host);
  }
  const builder: Builder = { request, asked, host, around: recipesIn(roots), offers: new Map() };
  const options = { parallel: request.parallel ?? 1, goOn };
  const outcomes = await runInOrder(nodes, options, (node) => buildNode(node, builder));
  return [...outcomes].map(([node, outcome]): BuildOutcome => {
    const { arch } = node;
    const recipe = node.recipe.name;
    if (outcome.state === 'blocked') return { state: 'blocked', recipe, arch, by: outcome.by.recipe.name };
    if (outcome.state === 'done')
      return { state: outcome.value.cached ? 'cached' : 'built', built: outcome.value };
    const { error } = outcome;
    if (error instanceof Error) return { state: 'failed', recipe, arch, error };
    throw new Error('a build threw what is no error', { cause: error });
  });
}

interface Builder {
  readonly request: BuildRequest;
  readonly asked: ReadonlySet<string>;
  readonly host: readonly HostPackage[];
  readonly around: () => Around;
  /** What is built so far. */
  readonly offers: Map<BuildNode, readonly RootPackage[]>;
}

/** @throws IcepkgError `tool-missing` where the machine lacks what one of the recipes declares */
function versionsFor(nodes: readonly BuildNode[], host: readonly HostPackage[]): Map<string, string> {
  if (host.length === 0) return new Map();
  const declared = nodes.map(({ recipe }) => ({ recipe: recipe.name, names: recipe.hostDepends ?? [] }));
  return declaredVersions(host, declared);
}

async function buildNode(node: BuildNode, builder: Builder): Promise<BuiltRecipe> {
  const { cacheFolder, onProgress } = builder.request;
  const tell = (phase: string): void =>
    onProgress({ recipe: node.recipe.name, arch: node.arch, phase, log: logFile(cacheFolder, node) });
  try {
    return await findOrBuild(node, builder, tell);
  } catch (error) {
    tell('failed');
    throw error;
  }
}

async function findOrBuild(
  node: BuildNode,
  builder: Builder,
  tell: (phase: string) => void,
): Promise<BuiltRecipe> {
  const { request, offers } = builder;
  const { cacheFolder, codec } = request;
  const begun = Date.now();
  refuseRecipe(node.loaded);
  const declared = node.recipe.hostDepends ?? [];
  const root = buildRoot(node, offers);
  const document = await keyDocument(node, rootLines(root), {
    codec,
    epoch: BUILD_EPOCH,
    host: hostVersions(versionsFor([node], builder.host), declared),
  });
  const key = keyOfDocument(document);
  // Looked for only where something runs: what is cached needs none.
  const commands = (): Promise<string | undefined> => hostFolder(cacheFolder, builder.host, declared);
  const isAsked = builder.asked.has(node.recipe.name);
  const reproducible = request.checkReproducible && isAsked;
  const resume = request.resume === true && isAsked && hasFailed(cacheFolder, node);
  const one: OneBuild = { builder, key, root, tell, commands };
  const kept = buildFolder(cacheFolder, key);
  const cached = !reproducible && !resume && isBuilt(kept);
  const { folder, findings } = cached
    ? { folder: kept, findings: readFindings(kept) }
    : await buildOne(node, { ...one, reproducible, resume });
  if (!cached) writeKeyRecord(folder, keyRecord(node, document, root));
  offers.set(node, packagesOf(node, key, folder));
  if (cached) await runTests(node, folder, one);
  const packages = await deliver(folder, request);
  const dependencies = root.map(({ built }) => built);
  await writeDocuments(
    { node, key, codec, epoch: BUILD_EPOCH, dependencies },
    { folder: request.output, packages, keys: request.keys },
  );
  tell(cached ? 'cached' : 'done');
  const seconds = (Date.now() - begun) / 1000;
  return {
    recipe: node.recipe.name,
    arch: node.arch,
    key,
    cached,
    reproducible,
    packages,
    findings: cached && !isAsked ? [] : [...recipeWarnings(node.loaded, builder.around), ...findings],
    seconds,
  };
}

interface OneBuild {
  readonly builder: Builder;
  readonly key: string;
  readonly root: readonly RootPackage[];
  readonly tell: (phase: string) => void;
  /** Finds the programs of the machine that the build sees. */
  readonly commands: () => Promise<string | undefined>;
}

interface Wanted extends OneBuild {
  readonly reproducible: boolean;
  readonly resume: boolean;
}

interface Made {
  /** Has the packages. */
  readonly folder: string;
  readonly findings: readonly Finding[];
}

/** Leaves the result in the cache, whole or not at all. */
async function buildOne(node: BuildNode, wanted: Wanted): Promise<Made> {
  const { cacheFolder } = wanted.builder.request;
  const builds = path.join(cacheFolder, 'builds');
  makeFolder(builds);
  const first = fs.mkdtempSync(path.join(builds, '.build-'));
  const second = fs.mkdtempSync(path.join(builds, '.again-'));
  try {
    const findings = await buildInto(first, node, wanted);
    if (wanted.reproducible) {
      await buildInto(second, node, wanted);
      await compareBuilds(node, first, second);
    }
    await runTests(node, first, wanted);
    // What was changed in the tree by hand is in no key.
    const final = wanted.resume
      ? path.join(builds, `.resumed-${node.recipe.name}`)
      : buildFolder(cacheFolder, wanted.key);
    // The same key means the same bytes, so whoever was first may stay, unless it was damaged.
    if (wanted.resume || !isBuilt(final)) {
      fs.rmSync(final, { recursive: true, force: true });
      fs.renameSync(first, final);
    }
    return { folder: final, findings };
  } finally {
    fs.rmSync(first, { recursive: true, force: true });
    fs.rmSync(second, { recursive: true, force: true });
  }
}

async function buildInto(
  folder: string,
  node: BuildNode,
  { builder: { request, offers }, root, tell, resume, reproducible, commands }: Wanted,
): Promise<Finding[]> {
  const options = {
    cacheFolder: request.cacheFolder,
    root,
    // Two builds say something only where each compiles for itself.
    compilerCache: !reproducible,
    commands: await commands(),
    resume,
    limits: request.limits ?? DEFAULT_LIMITS,
    epoch: BUILD_EPOCH,
    jobs: request.jobs,
    check: request.check,
    onPhase: tell,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  };
  return withBuiltTree(node, options, async (tree, { configFiles }, sources) => {
    tell('pack');
    const packages = await assemblePackages(node, tree, {
      output: folder,
      epoch: BUILD_EPOCH,
      codec: request.codec,
      configFiles,
      licenses: collectLicenses(sources, node.recipe),
    });
    const findings = refuseBuilt(
      node.recipe,
      packages.map(({ file }) => path.join(folder, file)),
      manifestsAround(node, offers),
    );
    writeFindings(folder, findings);
    writeResult(folder, packages);
    return findings;
  });
}

/** Runs tests that these packages have not passed yet. */
async function runTests(
  node: BuildNode,
  folder: string,
  { builder: { request, offers }, key, tell, commands }: OneBuild,
): Promise<void> {
  const tests = request.check ? testsOf(node, { own: packagesOf(node, key, folder), offers }) : [];
  const digest = testDigest(tests);
  if (tests.length === 0 || testedBy(folder) === digest) return;
  tell('test');
  await testPackages(node, tests, {
    cacheFolder: request.cacheFolder,
    log: logFile(request.cacheFolder, node),
    commands: await commands(),
    limits: request.limits ?? DEFAULT_LIMITS,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  markTested(folder, digest);
}

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

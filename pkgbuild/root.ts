/** What is in the root of a build or a test: packages that the solver chooses and the engine installs. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { changeWorld } from '#engine/change-world';
import { openContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import type { Candidate } from '#engine/model';
import { solve } from '#engine/solver/solve';
import { CONFIG_DIRECTORY, STATE_DIRECTORY } from '#engine/transaction/layout';
import { readHeader } from '#schema/container/read';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import type { Manifest } from '#schema/manifest';
import { recordOf } from '#schema/record';
import type { BuiltPackage } from './assemble.ts';
import { readResult } from './cached-build.ts';
import { BUILD_EPOCH } from './epoch.ts';
import type { BuildNode } from './order.ts';

/** A package that came out of a build and can be installed for another one. */
export interface RootPackage {
  /** Name of its recipe. */
  readonly recipe: string;
  /** Key of the build that it came out of. */
  readonly key: string;
  readonly built: BuiltPackage;
  /** Path of the package. */
  readonly file: string;
  readonly candidate: Candidate;
}

/** The packages that each finished build offers. */
export type Offers = ReadonlyMap<BuildNode, readonly RootPackage[]>;

/** @param folder where the packages of the build are */
export function packagesOf(node: BuildNode, key: string, folder: string): RootPackage[] {
  return readResult(folder).map((built) => {
    const file = path.join(folder, built.file);
    const { size, sha256 } = built;
    const record = recordOf(readHeader(file, built.file), { path: built.file, size, sha256 });
    return {
      recipe: node.recipe.name,
      key,
      built,
      file,
      candidate: { record, source: { kind: 'file', file } },
    };
  });
}

/** The nodes and all that they are built, tested and so may be run with. */
export function reachable(nodes: Iterable<BuildNode>): Set<BuildNode> {
  const found = new Set(nodes);
  for (const node of found) for (const below of [...node.buildNodes, ...node.testNodes]) found.add(below);
  return found;
}

/** The manifests of what a recipe is built and tested with: as much as is known of what its packages may need. */
export const manifestsAround = (node: BuildNode, offers: Offers): Manifest[] =>
  [...reachable([...node.buildNodes, ...node.testNodes])]
    .flatMap((one) => offered(offers, one))
    .map(({ file }) => readHeader(file, file).manifest);

/**
 * The root of a build: every package but documentation of the declared build dependencies, and what these need.
 * @throws IcepkgError `build-failed` where something that they need was not built
 */
export function buildRoot(node: BuildNode, offers: Offers): RootPackage[] {
  const wanted = node.buildNodes.flatMap((one) => offered(offers, one)).filter(isForBuilding);
  if (wanted.length === 0) return [];
  const choice = [...reachable(node.buildNodes)]
    .flatMap((one) => offered(offers, one))
    .filter(isForBuilding)
    .map(withoutCommands);
  return selectPackages(
    node,
    wanted.map(({ built }) => built.name),
    {
      choice,
      what: 'the root of the build cannot be made',
      hint: 'Name the recipe of what is missing under testDepends of the recipe that needs it to run, or under buildDepends of this one',
    },
  );
}

/**
 * The root of the test of a package: that package, those that its tests are declared to need, and what these need.
 * @param own what the build itself gave
 * @throws IcepkgError `build-failed` where something that they need was not built
 */
export function testRoot(
  node: BuildNode,
  name: string,
  { own, offers }: { readonly own: readonly RootPackage[]; readonly offers: Offers },
): RootPackage[] {
  const near = [...reachable([...node.buildNodes, ...node.testNodes])];
  return selectPackages(node, [name, ...node.testNodes.map(({ recipe }) => recipe.name)], {
    choice: [...own, ...near.flatMap((one) => offered(offers, one))],
    what: `${name} cannot be installed for its test`,
    hint: 'Name the recipes of what it needs to run, and does not need to build, under testDepends',
  });
}

const isForBuilding = ({ built }: RootPackage): boolean => built.role !== 'doc';

/** Programs for the target do not run while something is built for it: the commands of a build are the machine's. */
function withoutCommands(one: RootPackage): RootPackage {
  const { record, source } = one.candidate;
  const depends = record.depends?.filter((text) => !text.split('|').every((name) => /^\s*cmd:/.test(name)));
  return depends === undefined ? one : { ...one, candidate: { record: { ...record, depends }, source } };
}

function offered(offers: Offers, node: BuildNode): readonly RootPackage[] {
  const found = offers.get(node);
  if (found === undefined) throw new Error(`${node.recipe.name} is not built before what needs it`);
  return found;
}

interface Choice {
  readonly choice: readonly RootPackage[];
  /** Said where there is no solution. */
  readonly what: string;
  readonly hint: string;
}

/** Sorted by name. */
function selectPackages(
  node: BuildNode,
  depends: readonly string[],
  { choice, what, hint }: Choice,
): RootPackage[] {
  const outcome = solve({
    arch: node.toolArch,
    world: { depends, holds: [], pins: {} },
    candidates: choice.map(({ candidate }) => candidate),
    installed: [],
    upgrade: 'none',
    keepOrphans: false,
    recommends: false,
  });
  if (!outcome.solved)
    throw new IcepkgError(
      'build-failed',
      `${node.recipe.name} for ${node.arch}: ${what}: ${outcome.explanation.join('\n')}`,
      { hint },
    );
  const selected = new Set(outcome.selection.map(({ candidate }) => candidate));
  return choice
    .filter(({ candidate }) => selected.has(candidate))
    .toSorted((a, b) => (a.built.name < b.built.name ? -1 : 1));
}

/** What identifies the content of a root: a line with name and digest of each package. */
export const rootLines = (packages: readonly RootPackage[]): string[] =>
  packages.map(({ built }) => `${built.file} ${built.sha256}`);

/** Makes `folder` a root that holds the packages. */
export async function installRoot(
  folder: string,
  arch: MachineArch,
  packages: readonly RootPackage[],
): Promise<void> {
  const { root } = initRoot(folder, { arch });
  const context = openContext({
    root,
    offline: true,
    sync: false,
    now: () => new Date(BUILD_EPOCH * 1000),
    operator: 'build',
  });
  await changeWorld(context, {
    description: 'build',
    edit: (world) => ({ ...world, depends: packages.map(({ built }) => built.name) }),
    upgrade: 'none',
    recommends: false,
    candidates: packages.map(({ candidate }) => candidate),
    allowUntrusted: true,
    dryRun: false,
    confirm: () => true,
  });
}

/** A root that nothing but files are wanted of: what the engine keeps in it would differ from one build to the next. */
export async function installFiles(
  folder: string,
  arch: MachineArch,
  packages: readonly RootPackage[],
): Promise<void> {
  if (packages.length === 0) return;
  await installRoot(folder, arch, packages);
  for (const own of [STATE_DIRECTORY, CONFIG_DIRECTORY]) {
    fs.rmSync(path.join(folder, own), { recursive: true });
    removeEmpty(folder, path.dirname(own));
  }
}

function removeEmpty(root: string, folder: string): void {
  if (folder === '.' || fs.readdirSync(path.join(root, folder)).length > 0) return;
  fs.rmdirSync(path.join(root, folder));
  removeEmpty(root, path.dirname(folder));
}

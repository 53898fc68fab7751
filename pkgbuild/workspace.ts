/** One build: a workspace is set up, phases run in it, and the tree they installed comes out. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { makeFolder } from '#engine/make-folder';
import { IcepkgError } from '#schema/error';
import { openCompilerCache, type CompilerCache } from './compiler-cache.ts';
import type { BuildNode } from './order.ts';
import { failureHint, howEnded } from './failure.ts';
import { discardFailed, keepFailed, takeUp, type FailedBuild } from './failed-build.ts';
import type { Limits, Stop } from './limits.ts';
import { showRecipeFiles } from './recipe-files.ts';
import { installFiles, type RootPackage } from './root.ts';
import type { Surroundings } from './missing-input.ts';
import { isRunning } from './running.ts';
import { runSandboxed, type SandboxMount } from './sandbox.ts';
import { elfOf } from './scan.ts';
import { fetchSource } from './sources/cache.ts';
import { hasSum, placed } from './sources/place.ts';
import { inspectDebs, licenseNotes, type Repackaged } from './sources/repackage.ts';
import {
  DISTFILES,
  fetchedFiles,
  RECIPE_FOLDER,
  resolveSources,
  type FetchedFile,
} from './sources/resolve.ts';
import { phasesOf, stripScript, type Phase } from './steps.ts';
import { refuseChanged, takenInputs } from './taken-inputs.ts';
import { buildEnvironment, BUILD_ROOT, writeToolchain } from './toolchain.ts';
import { walkTree } from './tree.ts';
import { makeFolders, makeInstalled, refuseReplaced } from './workspace-folders.ts';

export interface WorkspaceOptions {
  readonly cacheFolder: string;
  /** What the engine installs into the sysroot. */
  readonly root: readonly RootPackage[];
  readonly epoch: number;
  readonly jobs: number;
  readonly check: boolean;
  /** Compile by ccache, where the machine has it. */
  readonly compilerCache: boolean;
  /** Programs of the machine that steps see; all without. */
  readonly commands: string | undefined;
  /** Go on in the kept tree of a build that failed, where there is one. */
  readonly resume: boolean;
  readonly limits: Limits;
  readonly onPhase: (phase: string) => void;
  readonly signal?: AbortSignal;
}

const PREFIX = 'icepkg-build-';

/**
 * Builds in a fresh workspace, hands the installed tree and the source folder to `use`, and removes the workspace.
 * @throws IcepkgError `build-failed` naming recipe, phase and log
 */
export async function withBuiltTree<T>(
  node: BuildNode,
  options: WorkspaceOptions,
  use: (tree: string, repackaged: Repackaged, sources: string) => Promise<T>,
): Promise<T> {
  removeAbandoned();
  const resumed = options.resume ? takeUp(options.cacheFolder, node) : undefined;
  const workspace = resumed?.workspace ?? fs.mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`));
  const compilerCache = options.compilerCache
    ? await openCompilerCache(options.cacheFolder, node)
    : undefined;
  try {
    makeFolders(workspace, node.recipe.name);
    if (node.recipe.sources.length > 0) options.onPhase('fetch');
    const { mounts, repackaged } = await linkSources(node, workspace, options.cacheFolder);
    // Anew for a kept tree, too: ccache may have come to the machine, or gone, and dependencies been added.
    writeToolchain(path.join(workspace, 'tools'), node.toolArch, compilerCache !== undefined);
    await installFiles(path.join(workspace, 'sysroot'), node.toolArch, options.root);
    if (resumed === undefined) discardFailed(options.cacheFolder, node);
    await runPhases(node, workspace, {
      ...options,
      mounts,
      notes: repackaged.notes,
      resumed,
      cache: compilerCache,
    });
    const result = await use(path.join(workspace, 'dest'), repackaged, path.join(workspace, 'src'));
    if (resumed !== undefined) discardFailed(options.cacheFolder, node);
    return result;
  } finally {
    if (resumed === undefined) fs.rmSync(workspace, { recursive: true, force: true });
  }
}

/** What builds left behind that were killed. Other users' folders are not ours to touch. */
function removeAbandoned(): void {
  for (const name of fs.readdirSync(os.tmpdir())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    const folder = path.join(os.tmpdir(), name);
    if (fs.lstatSync(folder, { throwIfNoEntry: false })?.uid !== process.getuid?.()) continue;
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** The log of the build of a recipe for an architecture; the newest replaces the one before. */
export function logFile(cacheFolder: string, { recipe, arch }: BuildNode): string {
  const logs = path.join(cacheFolder, 'logs');
  makeFolder(logs);
  return path.join(logs, `${recipe.name}-${recipe.version}-r${recipe.release}.${arch}.log`);
}

interface LinkedSources {
  readonly mounts: readonly SandboxMount[];
  readonly repackaged: Repackaged;
}

async function linkSources(node: BuildNode, workspace: string, cacheFolder: string): Promise<LinkedSources> {
  const mounts: SandboxMount[] = [showRecipeFiles(node, workspace)];
  const sources = resolveSources(node.recipe.sources, node.arch);
  for (const source of sources)
    if (source.kind === 'local' && !source.shownAt.startsWith(`${RECIPE_FOLDER}/`))
      mounts.push({ from: path.resolve(node.folder, source.path), to: source.shownAt });
  const files = new Map<FetchedFile, string>();
  for (const source of fetchedFiles(sources)) {
    const cached = await fetchSource(source, cacheFolder).catch((error: unknown) => {
      throw placed(error, node.loaded, hasSum(source.sha256));
    });
    files.set(source, cached);
    // The mount point; the sandbox cannot make one where the file system is read-only.
    fs.writeFileSync(path.join(workspace, 'distfiles', source.file), '');
    mounts.push({ from: cached, to: `${DISTFILES}/${source.file}` });
  }
  const repackaged = inspectDebs(node.recipe, sources, (source) => files.get(source) ?? '');
  return { mounts, repackaged };
}

/** `strip` is the builder's own. */
const PHASE_ORDER = ['unpack', 'patch', 'prepare', 'build', 'check', 'install', 'strip'];

interface PhaseContext extends WorkspaceOptions {
  readonly mounts: readonly SandboxMount[];
  /** Lines for the log. */
  readonly notes: readonly string[];
  readonly resumed: FailedBuild | undefined;
  readonly cache: CompilerCache | undefined;
}

async function runPhases(node: BuildNode, workspace: string, context: PhaseContext): Promise<void> {
  const { recipe } = node;
  const log = logFile(context.cacheFolder, node);
  const phases = phasesOf(recipe, resolveSources(recipe.sources, node.arch), context.check);
  const phasesBefore = (name: string): Phase[] =>
    phases.filter((one) => PHASE_ORDER.indexOf(one.name) < PHASE_ORDER.indexOf(name));
  if (context.resumed === undefined) fs.writeFileSync(log, context.notes.map((note) => `${note}\n`).join(''));
  const environment = {
    ...buildEnvironment(node.toolArch, context.epoch, context.jobs),
    VERSION: recipe.version,
    ...context.cache?.environment,
    ...recipe.env,
  };
  const sandboxed = async (phase: string, script: string, mounts: readonly SandboxMount[]): Promise<void> => {
    context.onPhase(phase);
    fs.appendFileSync(log, `== ${phase}\n`);
    const result = await runSandboxed({
      workspace,
      readOnly: mounts,
      environment,
      script: `umask 022\n${script}`,
      directory: `${BUILD_ROOT}/src`,
      log,
      limits: context.limits,
      ...(context.cache === undefined ? {} : { more: context.cache.more }),
      ...(context.commands === undefined ? {} : { commands: context.commands }),
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    });
    if (result.status === 0) return refuseReplaced(workspace, `${recipe.name}: ${phase}`);
    const endless = result.stopped !== undefined && result.stopped.limit !== 'time';
    if (!endless && (context.resumed === undefined || context.resumed.phase !== phase))
      await keepFailed(context.cacheFolder, node, {
        workspace,
        phase,
        mounts: mounts.filter(({ from }) => !from.startsWith(`${workspace}/`)),
        environment,
        commands: context.commands,
        script,
        taken: takenInputs(node, context.root, phasesBefore(phase)),
      });
    const failure = { status: result.status, log, stopped: result.stopped };
    throw await phaseFailed(phase, failure, { node, cacheFolder: context.cacheFolder });
  };
  const fixed: SandboxMount[] = ['sysroot', 'tools'].map((name) => ({
    from: path.join(workspace, name),
    to: `${BUILD_ROOT}/${name}`,
  }));
  if (context.cache !== undefined) fixed.push(context.cache.mount);
  const done = context.resumed === undefined ? [] : phasesBefore(context.resumed.phase);
  if (context.resumed !== undefined)
    refuseChanged(recipe.name, context.resumed.taken, takenInputs(node, context.root, done));
  for (const phase of phases.slice(done.length))
    await sandboxed(phase.name, scriptOf(phase), [...fixed, ...context.mounts]);
  const tree = path.join(workspace, 'dest');
  fs.appendFileSync(
    log,
    licenseNotes(path.join(workspace, 'src'))
      .map((note) => `${note}\n`)
      .join(''),
  );
  removeLeftovers(tree);
  for (const one of [recipe, ...(recipe.subpackages ?? [])])
    for (const directory of one.directories ?? []) makeInstalled(tree, directory.path);
  if (!recipe.strip) return;
  const files = walkTree(tree);
  const programs = files.filter((entry) => {
    const elf = elfOf(tree, entry);
    return elf !== undefined && elf.kind !== 'relocatable' && elf.machine === node.arch;
  });
  const archives = files.filter((entry) => entry.type === 'file' && entry.path.endsWith('.a'));
  if (programs.length + archives.length === 0) return;
  const names = [programs, archives].map((list) => list.map((entry) => entry.path));
  await sandboxed('strip', stripScript(names[0] ?? [], names[1] ?? []), fixed);
}

const scriptOf = (phase: Phase): string =>
  phase.name === 'unpack' ? phase.script : `set -x\n${phase.script}`;

/** libtool's archives name paths of the machine that builds; an index of info pages belongs to no single package. */
function removeLeftovers(tree: string): void {
  for (const entry of walkTree(tree)) {
    const leftover = entry.path.endsWith('.la') || entry.path === 'usr/share/info/dir';
    if (leftover && entry.type === 'file') fs.rmSync(path.join(tree, entry.path));
  }
}

interface Failure {
  readonly status: number;
  readonly log: string;
  /** The limit that it went beyond. */
  readonly stopped: Stop | undefined;
}

async function phaseFailed(
  phase: string,
  { status, log, stopped }: Failure,
  around: Surroundings,
): Promise<IcepkgError> {
  const { node } = around;
  const { name, version, release } = node.recipe;
  return new IcepkgError(
    'build-failed',
    `${name} ${version}-r${release} for ${node.arch}: ${phase} ${howEnded(status, stopped)}`,
    {
      hint: await failureHint(log, around),
      data: { phase, status, log },
    },
  );
}

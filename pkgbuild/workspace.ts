/** One build: a workspace is set up, phases run in it, and the tree they installed comes out. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { run } from './command.ts';
import type { BuildNode } from './order.ts';
import { runSandboxed, type SandboxMount } from './sandbox.ts';
import { elfOf } from './scan.ts';
import { fetchSource } from './sources/cache.ts';
import { inspectDebs, licenseNotes, type Repackaged } from './sources/repackage.ts';
import {
  DISTFILES,
  fetchedFiles,
  RECIPE_FOLDER,
  resolveSources,
  type FetchedFile,
} from './sources/resolve.ts';
import { phasesOf, stripScript, type Phase } from './steps.ts';
import { buildEnvironment, BUILD_ROOT, writeToolchain } from './toolchain.ts';
import { walkTree } from './tree.ts';

export interface WorkspaceOptions {
  readonly cacheFolder: string;
  /** Package files of the dependencies; they become the sysroot. */
  readonly sysroot: readonly string[];
  readonly epoch: number;
  readonly jobs: number;
  readonly check: boolean;
  readonly onPhase: (phase: string) => void;
  readonly signal?: AbortSignal;
}

/** Lines of the log that a failure shows. */
const LOG_TAIL = 15;

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
  const workspace = fs.mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`));
  try {
    for (const name of ['src', 'dest', 'sysroot', 'tools', 'distfiles', 'recipe'])
      fs.mkdirSync(path.join(workspace, name));
    writeToolchain(path.join(workspace, 'tools'), node.toolArch);
    const { mounts, repackaged } = await linkSources(node, workspace, options.cacheFolder);
    for (const file of options.sysroot) await unpackInto(path.join(workspace, 'sysroot'), file);
    await runPhases(node, workspace, { ...options, mounts, notes: repackaged.notes });
    return await use(path.join(workspace, 'dest'), repackaged, path.join(workspace, 'src'));
  } finally {
    fs.rmSync(workspace, { recursive: true, force: true });
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

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !isErrno(error, 'ESRCH');
  }
}

interface LinkedSources {
  readonly mounts: readonly SandboxMount[];
  readonly repackaged: Repackaged;
}

async function linkSources(node: BuildNode, workspace: string, cacheFolder: string): Promise<LinkedSources> {
  const mounts: SandboxMount[] = [{ from: node.folder, to: RECIPE_FOLDER }];
  const sources = resolveSources(node.recipe.sources, node.arch);
  for (const source of sources)
    if (source.kind === 'local' && !source.shownAt.startsWith(`${RECIPE_FOLDER}/`))
      mounts.push({ from: path.resolve(node.folder, source.path), to: source.shownAt });
  const files = new Map<FetchedFile, string>();
  for (const source of fetchedFiles(sources)) {
    const cached = await fetchSource(source, cacheFolder);
    files.set(source, cached);
    // The mount point; the sandbox cannot make one where the file system is read-only.
    fs.writeFileSync(path.join(workspace, 'distfiles', source.file), '');
    mounts.push({ from: cached, to: `${DISTFILES}/${source.file}` });
  }
  const repackaged = inspectDebs(node.recipe, sources, (source) => files.get(source) ?? '');
  return { mounts, repackaged };
}

/** A package is a tar that any tar reads; no owner is wanted in a sysroot. */
async function unpackInto(folder: string, file: string): Promise<void> {
  const result = await run(['tar', '--no-same-owner', '--exclude=.icepkg', '-C', folder, '-xf', file]);
  if (result.status !== 0)
    throw new IcepkgError('build-failed', `cannot unpack ${file}: ${result.stderr.trim()}`);
}

interface PhaseContext extends WorkspaceOptions {
  readonly mounts: readonly SandboxMount[];
  /** Lines for the log. */
  readonly notes: readonly string[];
}

async function runPhases(node: BuildNode, workspace: string, context: PhaseContext): Promise<void> {
  const { recipe } = node;
  const logs = path.join(context.cacheFolder, 'logs');
  fs.mkdirSync(logs, { recursive: true });
  const log = path.join(logs, `${recipe.name}-${recipe.version}-r${recipe.release}.${node.arch}.log`);
  fs.writeFileSync(log, context.notes.map((note) => `${note}\n`).join(''));
  const environment = {
    ...buildEnvironment(node.toolArch, context.epoch, context.jobs),
    VERSION: recipe.version,
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
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    });
    if (result.status !== 0) throw phaseFailed(node, phase, result.status, log);
  };
  const fixed: SandboxMount[] = ['sysroot', 'tools'].map((name) => ({
    from: path.join(workspace, name),
    to: `${BUILD_ROOT}/${name}`,
  }));
  for (const phase of phasesOf(recipe, resolveSources(recipe.sources, node.arch), context.check))
    await sandboxed(phase.name, scriptOf(phase), [...fixed, ...context.mounts]);
  const tree = path.join(workspace, 'dest');
  fs.appendFileSync(
    log,
    licenseNotes(tree)
      .map((note) => `${note}\n`)
      .join(''),
  );
  removeLeftovers(tree);
  for (const one of [recipe, ...(recipe.subpackages ?? [])])
    for (const directory of one.directories ?? [])
      fs.mkdirSync(path.join(tree, directory.path), { recursive: true });
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

function phaseFailed(node: BuildNode, phase: string, status: number, log: string): IcepkgError {
  const tail = fs.readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL);
  const { name, version, release } = node.recipe;
  return new IcepkgError(
    'build-failed',
    `${name} ${version}-r${release} for ${node.arch}: ${phase} ended with status ${status}`,
    { hint: `The whole log is ${log}; it ends with:\n${tail.join('\n')}`, data: { phase, status, log } },
  );
}

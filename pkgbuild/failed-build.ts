/** Builds that failed: the tree stays in the cache, so that its author can look at it and go on from there. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { makeFolder } from '#engine/make-folder';
import { IcepkgError, isErrno } from '#schema/error';
import { run } from './command.ts';
import type { BuildNode } from './order.ts';
import { openShell, type SandboxMount } from './sandbox.ts';
import type { TakenInputs } from './taken-inputs.ts';
import { BUILD_ROOT } from './toolchain.ts';

export interface FailedBuild {
  readonly workspace: string;
  readonly phase: string;
  /** What the sandbox shows besides the workspace. */
  readonly mounts: readonly SandboxMount[];
  readonly environment: Readonly<Record<string, string>>;
  readonly commands: string | undefined;
  /** The shell text that failed. */
  readonly script: string;
  /** What the tree was made with. */
  readonly taken: TakenInputs;
}

const STATE_FILE = 'failed.json';
const NOTE = 'step.sh';

const folderOf = (cacheFolder: string, { recipe, arch }: BuildNode): string =>
  path.join(cacheFolder, 'failed', `${recipe.name}.${arch}`);

/** Moves the workspace of a failed build to the cache. */
export async function keepFailed(cacheFolder: string, node: BuildNode, failed: FailedBuild): Promise<void> {
  const folder = folderOf(cacheFolder, node);
  makeFolder(path.dirname(folder));
  if (failed.workspace !== path.join(folder, 'build')) {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder);
    const moved = await run(['mv', failed.workspace, path.join(folder, 'build')]);
    if (moved.status !== 0) return fs.rmSync(folder, { recursive: true, force: true });
  }
  const workspace = path.join(folder, 'build');
  fs.writeFileSync(path.join(folder, STATE_FILE), JSON.stringify({ ...failed, workspace }));
}

export function discardFailed(cacheFolder: string, node: BuildNode): void {
  fs.rmSync(folderOf(cacheFolder, node), { recursive: true, force: true });
}

function readFailed(cacheFolder: string, node: BuildNode): FailedBuild | undefined {
  try {
    const failed = JSON.parse(
      fs.readFileSync(path.join(folderOf(cacheFolder, node), STATE_FILE), 'utf8'),
    ) as Partial<FailedBuild>;
    // Of other times nobody knows what is in the tree.
    return failed.taken === undefined ? undefined : (failed as FailedBuild);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * The failed build to go on with; `undefined` where there is none.
 * @throws IcepkgError `build-failed` where it has no whole tree
 */
export function takeUp(cacheFolder: string, node: BuildNode): FailedBuild | undefined {
  const failed = readFailed(cacheFolder, node);
  if (failed === undefined || !['unpack', 'patch'].includes(failed.phase)) return failed;
  throw new IcepkgError(
    'build-failed',
    `${node.recipe.name} failed in ${failed.phase}, so there is no tree to go on from`,
    { hint: 'Build it without --resume' },
  );
}

export const hasFailed = (cacheFolder: string, node: BuildNode): boolean =>
  readFailed(cacheFolder, node) !== undefined;

/**
 * Opens a shell in the sandbox of a failed build, at the step that failed.
 * @throws IcepkgError `not-found` where no build has failed
 */
export async function openFailed(cacheFolder: string, node: BuildNode): Promise<number> {
  const failed = readFailed(cacheFolder, node);
  if (failed === undefined)
    throw new IcepkgError('not-found', `no failed build of ${node.recipe.name} for ${node.arch} is kept`, {
      hint: `Build it first: icepkg build ${node.recipe.name} --arch ${node.toolArch}`,
    });
  // A step may have left anything there.
  fs.rmSync(path.join(failed.workspace, NOTE), { recursive: true, force: true });
  fs.writeFileSync(path.join(failed.workspace, NOTE), `${failed.script}\n`, { flag: 'wx' });
  const { workspace, environment, commands } = failed;
  return openShell({
    workspace,
    readOnly: [...failed.mounts],
    environment: { ...environment, PS1: `${node.recipe.name}:${failed.phase}$ ` },
    script: '',
    directory: `${BUILD_ROOT}/src`,
    ...(commands === undefined ? {} : { commands }),
  });
}

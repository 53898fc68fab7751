/**
 * The folders of a workspace that steps write to and the host goes through afterwards. A step may leave any symlink behind, so nothing
 * here follows one.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { BUILD_ROOT } from './toolchain.ts';

const KEPT = ['src', 'dest', 'ccache'];
const MADE_ANEW = ['distfiles', 'sysroot', 'tools'];

/**
 * Makes the folders of a fresh workspace, and of a kept one those that steps only read.
 * @throws IcepkgError `build-failed` where a step of the kept one replaced a folder
 */
export function makeFolders(workspace: string, recipe: string): void {
  for (const name of MADE_ANEW) fs.rmSync(path.join(workspace, name), { recursive: true, force: true });
  for (const name of [...KEPT, ...MADE_ANEW]) fs.mkdirSync(path.join(workspace, name), { recursive: true });
  refuseReplaced(workspace, `${recipe}: a step`);
}

/** To be asked when a step has ended, with all that it started. @param step how errors call it @throws IcepkgError `build-failed` */
export function refuseReplaced(workspace: string, step: string): void {
  for (const name of KEPT)
    if (fs.lstatSync(path.join(workspace, name), { throwIfNoEntry: false })?.isDirectory() !== true)
      throw new IcepkgError(
        'build-failed',
        `${step} put something else in the place of ${BUILD_ROOT}/${name}`,
        {
          hint: 'Steps write below this folder, and leave the folder itself where it is',
        },
      );
}

/** Makes a folder and those on the way. @throws IcepkgError `build-failed` where the way leads through something else */
export function makeInstalled(tree: string, folder: string): void {
  let at = tree;
  for (const name of folder.split('/')) {
    at = path.join(at, name);
    const there = fs.lstatSync(at, { throwIfNoEntry: false });
    if (there === undefined) fs.mkdirSync(at);
    else if (!there.isDirectory())
      throw new IcepkgError(
        'build-failed',
        `the recipe declares the directory ${folder}, and the build installed ${path.relative(tree, at)}, which is none`,
        { hint: 'Name the directory where it really is, or let the build not install that' },
      );
  }
}

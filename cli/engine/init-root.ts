/** Makes a folder a root. */
import { chmodSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { checkOwnFolders } from './root-fs/own-folders.ts';
import { makeFolder } from './make-folder.ts';
import { createDatabase } from './store/open.ts';
import { openStore } from './store/store.ts';
import { STATE_DIRECTORY, STATE_FILE } from './transaction/layout.ts';

export interface InitOptions {
  readonly arch: MachineArch;
}

export interface InitOutcome {
  readonly root: string;
  /** False where it had been a root already. */
  readonly created: boolean;
}

const CONFIG = `# icepkg configuration of this root; the manual lists every setting.
`;
const REPOSITORIES = `# Repositories in order of preference, one table each:
#
# [[repository]]
# name = "main"
# channel = "stable"
# mirrors = ["https://packages.example.org"]
`;

/** Creates folder, state and `etc/icepkg/`; leaves an existing root of the same architecture as it is. */
export function initRoot(root: string, options: InitOptions): InitOutcome {
  const absolute = resolve(root);
  try {
    return initialise(absolute, options.arch);
  } catch (error) {
    if (isErrno(error, 'EROFS', 'EACCES', 'EPERM')) {
      throw new IcepkgError('root-read-only', `cannot write below ${absolute}`, {
        hint: 'Choose a folder you may write to with --root',
        cause: error,
      });
    }
    if (isErrno(error, 'ENOTDIR', 'EEXIST')) {
      throw new IcepkgError('root-invalid', `${absolute} is not a directory`, { cause: error });
    }
    throw error;
  }
}

function initialise(root: string, arch: MachineArch): InitOutcome {
  const state = join(root, STATE_FILE);
  if (existsSync(state)) {
    checkArch(root, arch);
    return { root, created: false };
  }
  makeFolder(root);
  checkOwnFolders(realpathSync(root));
  mkdirSync(join(root, 'etc/icepkg/trust'), { recursive: true });
  mkdirSync(join(root, STATE_DIRECTORY), { recursive: true });
  chmodSync(join(root, STATE_DIRECTORY), 0o755);
  writeIfAbsent(join(root, 'etc/icepkg/icepkg.toml'), CONFIG);
  writeIfAbsent(join(root, 'etc/icepkg/repositories.toml'), REPOSITORIES);
  // Last and by rename: with the database in place it is a root, before that it is none.
  const aside = `${state}.new`;
  rmSync(aside, { force: true });
  createDatabase(aside, arch);
  renameSync(aside, state);
  return { root, created: true };
}

function checkArch(root: string, arch: MachineArch): void {
  const store = openStore(root, { mode: 'read' });
  try {
    if (store.arch() !== arch) {
      throw new IcepkgError('root-invalid', `${root} is already a root for ${store.arch()}`, {
        hint: 'Choose another folder with --root',
      });
    }
  } finally {
    store.close();
  }
}

function writeIfAbsent(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

/**
 * A control group of the kernel that bounds how many processes a sandbox has at once. RLIMIT_NPROC does not hold for
 * processes that root started, and looking at them from time to time comes late where they double.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { isErrno } from '#schema/error';
import { isRunning } from './running.ts';

export interface ProcessGroup {
  /** The command that enters the group and becomes `argv`. */
  enter(argv: readonly string[]): string[];
  /** True where it was refused one more process. */
  exceeded(): boolean;
  /** Waits for a moment until everything in it has ended. */
  remove(): Promise<void>;
}

const CONTROL = '/sys/fs/cgroup';
const PREFIX = 'icepkg-build-';
const ENTER = 'echo $$ >"$0" && exec "$@"';
let opened = 0;

/** @returns `undefined` where this process may make none */
export function openProcessGroup(processes: number): ProcessGroup | undefined {
  for (const parent of parents()) {
    const folder = path.join(parent, `${PREFIX}${process.pid}-${opened++}`);
    if (!bounded(parent, folder, processes)) continue;
    return {
      enter: (argv) => ['/bin/sh', '-c', ENTER, path.join(folder, 'cgroup.procs'), ...argv],
      exceeded: () => !/^max 0$/m.test(readText(path.join(folder, 'pids.events'))),
      remove: () => removeEnding(folder),
    };
  }
  return undefined;
}

/** Where a group may be made that bounds processes: the one that this process is in, or the one above it. */
function parents(): string[] {
  const found = new Set<string>();
  for (const line of readText('/proc/self/cgroup').split('\n')) {
    // cgroups(7): hierarchy-ID:controller-list:cgroup-path; the list is empty for version 2.
    const [, controllers, at] = line.split(':');
    if (at === undefined || (controllers !== 'pids' && controllers !== '')) continue;
    for (const group of [at, path.dirname(at)]) found.add(path.join(CONTROL, controllers, group));
  }
  return [...found];
}

function bounded(parent: string, folder: string, processes: number): boolean {
  try {
    removeAbandoned(parent);
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, 'pids.max'), String(processes));
    return true;
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'EBUSY', 'EAGAIN', 'EOPNOTSUPP')) throw error;
    if (fs.existsSync(folder)) fs.rmdirSync(folder);
    return false;
  }
}

function removeAbandoned(parent: string): void {
  for (const name of fs.readdirSync(parent)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) removeGroup(path.join(parent, name));
  }
}

/** Processes that were killed take a moment to end; what takes longer is left to the next build. */
async function removeEnding(folder: string): Promise<void> {
  for (let tries = 0; tries < 50 && !removeGroup(folder); tries++) await setTimeout(20);
}

/** @returns false while there is a process in it */
function removeGroup(folder: string): boolean {
  try {
    fs.rmdirSync(folder);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'EBUSY')) return false;
    throw error;
  }
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}

/** Stops a build that goes beyond what any honest one needs: processes without end, a full disk, too long. */
import * as fs from 'node:fs';
import { run } from './command.ts';

export interface Limits {
  /** Processes at once. */
  readonly processes: number;
  /** Bytes that the folder of a build may hold. */
  readonly diskBytes: number;
  /** Bytes that must stay free where the build writes. */
  readonly freeBytes: number;
  /** Seconds that one phase may take; no limit without. */
  readonly seconds?: number;
}

const GIB = 1024 ** 3;
export const DEFAULT_LIMITS: Limits = { processes: 1000, diskBytes: 32 * GIB, freeBytes: GIB / 4 };

/** The limit that a build went beyond. */
export interface Stop {
  readonly limit: 'processes' | 'disk' | 'time';
  /** A clause such as `it took longer than 60 seconds`. */
  readonly why: string;
}

export interface Watch {
  /** Why the build was stopped, if it was. */
  stopped(): Stop | undefined;
  end(): void;
}

const INTERVAL = 200;
/** The folder is measured whenever that share of its limit was taken from the disk. */
const SHARE = 1 / 8;

/**
 * Watches the sandbox below the process `pid`; everything in it ends with that process.
 * @param refused whether the kernel refused it one more process: those that double end by that, between two looks
 */
export function watchLimits(pid: number, workspace: string, limits: Limits, refused: () => boolean): Watch {
  const begun = Date.now();
  let stop: Stop | undefined;
  let measuredAt = freeBytes(workspace);
  const timer = setInterval(() => {
    const free = freeBytes(workspace);
    stop ??= beyond(pid, { free, seconds: (Date.now() - begun) / 1000 }, limits);
    if (refused()) stop ??= tooManyProcesses(limits);
    if (stop !== undefined) kill(pid);
    else if (measuredAt - free > limits.diskBytes * SHARE) {
      measuredAt = free;
      void measure();
    }
  }, INTERVAL);
  const measure = async (): Promise<void> => {
    if ((await folderBytes(workspace)) <= limits.diskBytes) return;
    stop ??= { limit: 'disk', why: `it wrote more than ${limits.diskBytes / GIB} GiB` };
    kill(pid);
  };
  return { stopped: () => stop, end: () => clearInterval(timer) };
}

const freeBytes = (folder: string): number => {
  const { bavail, bsize } = fs.statfsSync(folder);
  return bavail * bsize;
};

/** The build goes on meanwhile, so files may vanish. */
async function folderBytes(folder: string): Promise<number> {
  const { stdout } = await run(['du', '-s', '-x', '-B1', folder]);
  return Number.parseInt(stdout, 10) || 0;
}

interface Usage {
  readonly free: number;
  readonly seconds: number;
}

function beyond(pid: number, { free, seconds }: Usage, limits: Limits): Stop | undefined {
  if (limits.seconds !== undefined && seconds > limits.seconds)
    return { limit: 'time', why: `it took longer than ${limits.seconds} seconds` };
  if (free < limits.freeBytes) return { limit: 'disk', why: 'it has filled the disk' };
  return countBelow(pid, limits.processes) > limits.processes ? tooManyProcesses(limits) : undefined;
}

export const tooManyProcesses = ({ processes }: Limits): Stop => ({
  limit: 'processes',
  why: `it started more than ${processes} processes`,
});

/** Descendants of a process, counted until there are too many. */
function countBelow(pid: number, enough: number): number {
  const pending = [pid];
  let count = 0;
  for (let next = pending.pop(); next !== undefined && count <= enough; next = pending.pop()) {
    count++;
    pending.push(...childrenOf(next));
  }
  return count;
}

function childrenOf(pid: number): number[] {
  try {
    const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text
      .split(' ')
      .filter((word) => word !== '')
      .map(Number);
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

/** Ends the first process of the sandbox, and with it all others. */
function kill(pid: number): void {
  for (const one of [...childrenOf(pid), pid])
    try {
      process.kill(one, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
}

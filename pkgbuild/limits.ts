/** Stops a build that goes beyond what any honest one needs: processes without end, a full disk, too long. */
import * as fs from 'node:fs';

export interface Limits {
  /** Processes at once. */
  readonly processes: number;
  /** Bytes that must stay free where the build writes. */
  readonly freeBytes: number;
  /** Seconds that one phase may take; no limit without. */
  readonly seconds?: number;
}

export const DEFAULT_LIMITS: Limits = { processes: 1000, freeBytes: 256 * 1024 * 1024 };

export interface Watch {
  /** Why the build was stopped, if it was. */
  stopped(): string | undefined;
  end(): void;
}

const INTERVAL = 200;

/** Watches the sandbox below the process `pid`; everything in it ends with that process. */
export function watchLimits(pid: number, workspace: string, limits: Limits): Watch {
  const begun = Date.now();
  let why: string | undefined;
  const timer = setInterval(() => {
    why ??= beyond(pid, workspace, limits, (Date.now() - begun) / 1000);
    if (why !== undefined) kill(pid);
  }, INTERVAL);
  return { stopped: () => why, end: () => clearInterval(timer) };
}

function beyond(pid: number, workspace: string, limits: Limits, seconds: number): string | undefined {
  if (limits.seconds !== undefined && seconds > limits.seconds)
    return `it took longer than ${limits.seconds} seconds`;
  const { bavail, bsize } = fs.statfsSync(workspace);
  if (bavail * bsize < limits.freeBytes) return `it has filled the disk that holds ${workspace}`;
  if (countBelow(pid, limits.processes) > limits.processes)
    return `it started more than ${limits.processes} processes`;
  return undefined;
}

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

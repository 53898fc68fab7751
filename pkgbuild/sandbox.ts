/**
 * Runs build steps where they can reach nothing but their inputs: no network, no home, the host's toolchain
 * read-only, a fixed path, a clean environment. Only `/build` and `/tmp` can be written.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run, runOnTerminal, type CommandResult } from './command.ts';
import { logTail } from './failure.ts';
import { tooManyProcesses, watchLimits, type Limits, type Stop, type Watch } from './limits.ts';
import { openProcessGroup, type ProcessGroup } from './process-group.ts';
import { BUILD_ROOT } from './toolchain.ts';

export interface SandboxMount {
  readonly from: string;
  /** Absolute path inside the sandbox. */
  readonly to: string;
}

export interface SandboxRequest {
  /** Host folder that appears writable as `/build`. */
  readonly workspace: string;
  readonly readOnly: readonly SandboxMount[];
  readonly environment: Readonly<Record<string, string>>;
  /** Shell text, run by `/bin/sh -eu`. */
  readonly script: string;
  /** Folder inside the sandbox to start in. */
  readonly directory: string;
  /** File that both outputs are appended to; without one they are returned. */
  readonly log?: string;
  /** Folder with `bin` and `sbin`, shown as those of `/usr`; those of the machine without. */
  readonly commands?: string;
  /** More capabilities inside, such as CAP_SYS_CHROOT. */
  readonly capabilities?: readonly string[];
  /** Arguments of bwrap for folders that are neither plain nor read-only. */
  readonly more?: readonly string[];
  readonly limits?: Limits;
  readonly signal?: AbortSignal;
}

/** Links at the top of a merged-usr host. */
const USR_LINKS = ['bin', 'sbin', 'lib', 'lib32', 'lib64'];

/** So many more processes than the limit may come to be until they are seen. */
const SLACK = 100;
/** Bytes that `/tmp` may hold; it is memory. */
const TMP_BYTES = 2 * 1024 ** 3;
const SHARED_MEMORY_BYTES = 64 * 1024 ** 2;
/** What shells say where no group tells. */
const CANNOT_FORK = /cannot fork|fork: .*resource temporarily unavailable/i;

/** What a run ended with; `stopped` names the limit that it went beyond. */
export interface SandboxResult extends CommandResult {
  readonly stopped: Stop | undefined;
}

export async function runSandboxed(request: SandboxRequest): Promise<SandboxResult> {
  const { limits } = request;
  const most = limits === undefined ? undefined : limits.processes + SLACK;
  const group = most === undefined ? undefined : openProcessGroup(most);
  // For whoever is not root; in a user namespace of its own, where nothing else counts.
  const bound = most === undefined ? '' : `ulimit -p ${most}\n`;
  const sandboxed = ['bwrap', ...sandboxArguments(request), '/bin/sh', '-eu', '-c', bound + request.script];
  const argv = group?.enter(sandboxed) ?? sandboxed;
  const options = request.signal === undefined ? {} : { signal: request.signal };
  const output = request.log === undefined ? undefined : fs.openSync(request.log, 'a');
  let watch: Watch | undefined;
  try {
    const result = await run(argv, {
      ...options,
      ...(output === undefined ? {} : { output }),
      onStart: (pid) => {
        if (limits === undefined) return;
        watch = watchLimits(pid, request.workspace, limits, () => group?.exceeded() ?? false);
      },
    });
    return { ...result, stopped: watch?.stopped() ?? refused(result, request, group) };
  } finally {
    watch?.end();
    await group?.remove();
    if (output !== undefined) fs.closeSync(output);
  }
}

/** What was refused one more process may end by itself before the watch sees how many there are. */
function refused(
  result: CommandResult,
  { log, limits }: SandboxRequest,
  group: ProcessGroup | undefined,
): Stop | undefined {
  if (limits === undefined || result.status === 0) return undefined;
  const exceeded =
    group?.exceeded() ?? CANNOT_FORK.test(log === undefined ? result.stderr : logTail(log).join('\n'));
  return exceeded ? tooManyProcesses(limits) : undefined;
}

/** A shell on the terminal, where a step would run. */
export function openShell(request: SandboxRequest): Promise<number> {
  return runOnTerminal([
    'bwrap',
    ...sandboxArguments(request).filter((one) => one !== '--new-session'),
    '/bin/bash',
    '-i',
  ]);
}

function sandboxArguments(request: SandboxRequest): string[] {
  const args = [
    '--unshare-all',
    '--die-with-parent',
    '--new-session',
    '--cap-drop',
    'ALL',
    '--hostname',
    'build',
  ];
  if (process.getuid?.() !== 0) args.push('--unshare-user', '--uid', '0', '--gid', '0');
  for (const capability of request.capabilities ?? []) args.push('--cap-add', capability);
  args.push('--ro-bind', '/usr', '/usr');
  for (const name of request.commands === undefined ? [] : ['bin', 'sbin'])
    args.push('--ro-bind', path.join(request.commands ?? '', name), `/usr/${name}`);
  for (const name of USR_LINKS) {
    const stat = fs.lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink() === true) args.push('--symlink', fs.readlinkSync(`/${name}`), `/${name}`);
    else if (stat !== undefined) args.push('--ro-bind', `/${name}`, `/${name}`);
  }
  // Debian's program names such as awk and cc are links through here.
  if (fs.existsSync('/etc/alternatives')) args.push('--ro-bind', '/etc/alternatives', '/etc/alternatives');
  args.push(
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--size',
    String(SHARED_MEMORY_BYTES),
    '--tmpfs',
    '/dev/shm',
    '--remount-ro',
    '/dev',
    '--size',
    String(TMP_BYTES),
    '--tmpfs',
    '/tmp',
    '--bind',
    path.resolve(request.workspace),
    BUILD_ROOT,
  );
  for (const { from, to } of request.readOnly) args.push('--ro-bind', from, to);
  args.push(...(request.more ?? []), '--remount-ro', '/', '--chdir', request.directory, '--clearenv');
  for (const [name, value] of Object.entries(request.environment)) args.push('--setenv', name, value);
  return [...args, '--'];
}

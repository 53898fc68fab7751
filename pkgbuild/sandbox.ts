/**
 * Runs build steps where they can reach nothing but their inputs: no network, no home, the host's toolchain
 * read-only, a fixed path, a clean environment. Only `/build` and `/tmp` can be written.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run, type CommandResult } from './command.ts';
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
  readonly signal?: AbortSignal;
}

/** Links at the top of a merged-usr host. */
const USR_LINKS = ['bin', 'sbin', 'lib', 'lib32', 'lib64'];

export async function runSandboxed(request: SandboxRequest): Promise<CommandResult> {
  const argv = ['bwrap', ...sandboxArguments(request), '/bin/sh', '-eu', '-c', request.script];
  const options = request.signal === undefined ? {} : { signal: request.signal };
  if (request.log === undefined) return run(argv, options);
  const output = fs.openSync(request.log, 'a');
  try {
    return await run(argv, { ...options, output });
  } finally {
    fs.closeSync(output);
  }
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
  args.push('--ro-bind', '/usr', '/usr');
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
    '--tmpfs',
    '/tmp',
    '--bind',
    path.resolve(request.workspace),
    BUILD_ROOT,
  );
  for (const { from, to } of request.readOnly) args.push('--ro-bind', from, to);
  args.push('--remount-ro', '/', '--chdir', request.directory, '--clearenv');
  for (const [name, value] of Object.entries(request.environment)) args.push('--setenv', name, value);
  return [...args, '--'];
}

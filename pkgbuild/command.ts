/** Runs host programs and keeps what they said. */
import { spawn } from 'node:child_process';
import { IcepkgError, isErrno } from '#schema/error';

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A descriptor that takes both outputs instead of the result. */
  readonly output?: number;
  readonly signal?: AbortSignal;
  /** Told the number of the process. */
  readonly onStart?: (pid: number) => void;
}

/** The Debian package that holds a program, for the hint when it is missing. */
const DEBIAN_PACKAGES: Readonly<Record<string, string>> = {
  bwrap: 'bubblewrap',
  'apt-get': 'apt',
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu',
  'x86_64-linux-gnu-gcc': 'gcc',
  'aarch64-linux-gnu-ld': 'binutils-aarch64-linux-gnu',
  'x86_64-linux-gnu-ld': 'binutils',
};

/**
 * Runs `argv` to its end.
 * @throws IcepkgError `tool-missing` where there is no such program
 */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const sink = options.output ?? 'pipe';
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', sink, sink],
      signal: options.signal,
    });
    if (child.pid !== undefined) options.onStart?.(child.pid);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error) => {
      if (isErrno(error, 'ENOENT')) reject(missingTool(program, error));
      else if (error.name === 'AbortError')
        reject(new IcepkgError('cancelled', `${program} was interrupted`, { cause: error }));
      else reject(error);
    });
    child.on('close', (code) => {
      resolve({
        status: code ?? 255,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}

/** Runs `argv` on the terminal of this process. @returns its exit status */
export function runOnTerminal(argv: readonly string[]): Promise<number> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    child.on('error', (error) => reject(isErrno(error, 'ENOENT') ? missingTool(program, error) : error));
    child.on('close', (code) => resolve(code ?? 255));
  });
}

function missingTool(program: string, cause: unknown): IcepkgError {
  return new IcepkgError('tool-missing', `${program} is not installed on this machine`, {
    cause,
    hint: `On Debian: apt-get install ${DEBIAN_PACKAGES[program] ?? program}`,
  });
}

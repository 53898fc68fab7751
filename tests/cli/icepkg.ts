/** Runs the real program and keeps exit status, stdout and stderr apart. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const launcher = fileURLToPath(new URL('../../cli/bin/icepkg.js', import.meta.url));
const built = existsSync(new URL('../../dist/oclif.manifest.json', import.meta.url));

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Run as this user id, where root. */
  readonly uid?: number;
}

/** The arguments of `node` that run the program with these words. */
export function program(...words: readonly string[]): string[] {
  return [
    ...(built ? [] : ['--conditions=source', '--import', import.meta.resolve('tsx')]),
    launcher,
    ...words,
  ];
}

export function icepkg(words: readonly string[], options: RunOptions = {}): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, program(...words), {
    encoding: 'utf8',
    input: '',
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  return { status, stdout, stderr };
}

/** The same while this process goes on, for a test that serves what the program asks for. */
export function runIcepkg(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const child = spawn(process.execPath, program(...words), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const run = { stdout: '', stderr: '' };
  child.stdout.on('data', (part: Buffer) => (run.stdout += part.toString()));
  child.stderr.on('data', (part: Buffer) => (run.stderr += part.toString()));
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ status, ...run }));
  });
}

export const NOBODY = 65_534;

/** True where the program can be run as somebody else: by root, in a clone below folders that others may enter. */
export const canRunAsNobody =
  process.getuid?.() === 0 && spawnSync('test', ['-r', launcher], { uid: NOBODY, gid: NOBODY }).status === 0;

/** Runs the real program and keeps exit status, stdout and stderr apart. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../cli/bin/icepkg.js', import.meta.url));
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

export function icepkg(words: readonly string[], options: RunOptions = {}): Run {
  const node = built ? [] : ['--conditions=source', '--import', 'tsx'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...node, program, ...words], {
    encoding: 'utf8',
    input: '',
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  return { status, stdout, stderr };
}

/** The first line of a script (execve(2), "Interpreter scripts"). */
import { posix } from 'node:path';

/** As much of a file as the kernel looks at. */
export const MAX_SHEBANG = 256;

/** What follows `#!` in a file that begins with it. @param bytes at least the first `MAX_SHEBANG` bytes of the file */
export function shebangOf(bytes: Buffer): string | undefined {
  if (bytes.length < 3 || bytes.toString('latin1', 0, 2) !== '#!') return undefined;
  const head = bytes.toString('utf8', 2, MAX_SHEBANG);
  return (head.split('\n')[0] ?? '').trim();
}

/** The program that a script is started by: `env` stands for the command after it. */
export function interpreterOf(shebang: string): string {
  const [program = '', ...words] = shebang.split(/\s+/);
  const command = words.find((word) => !word.startsWith('-') && !word.includes('='));
  return posix.basename(program) === 'env' && command !== undefined ? command : program;
}

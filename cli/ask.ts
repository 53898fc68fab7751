/** Asks the operator before anything changes. */
import { createInterface } from 'node:readline/promises';
import { IcepkgError } from '#schema/error';

/** @throws IcepkgError `usage` where nobody is there to answer, `cancelled` where it is interrupted */
export async function ask(
  question: string,
  signal?: AbortSignal,
  hint = 'Add --yes to agree',
): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new IcepkgError('usage', `there is no terminal to ask on: ${question}`, { hint });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // A terminal that is read line by line keeps Ctrl-C to itself.
  terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await terminal.question(`${question} [y/N] `, signal === undefined ? {} : { signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
    process.stderr.write('\n');
    throw new IcepkgError('cancelled', 'interrupted at the question', { cause: error });
  } finally {
    terminal.close();
  }
}

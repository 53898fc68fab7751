/** Boots an image with what a program, not a person, types at its console. */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { openConsole, type Machine } from './qemu.ts';

export interface PipedInput {
  readonly input: Readable;
  readonly output: Writable;
  /** A regular expression; nothing is typed before the console shows it. */
  readonly sentinel: string;
}

/** No machine takes longer to boot, in seconds; what is typed goes to the console then in any case. */
const BOOT_LIMIT = 300;
/** What a console shows that waits for a line. */
const PROMPT = /(?:assword: ?|[#$%>] ?)$/;
/** Without one for so many seconds, the next line is typed ahead. */
const PROMPT_LIMIT = 5;

/**
 * A terminal drops what it is given before somebody listens, as do programs that ask for a password: lines are typed after
 * the sentinel, each at a prompt. The guest goes on at the end of the input, until it powers off.
 * @returns QEMU's exit status
 * @throws IcepkgError `tool-missing`
 */
export async function runPiped(machine: Machine, { input, output, sentinel }: PipedInput): Promise<number> {
  const console = openConsole(machine, (chunk) => void output.write(chunk));
  const shows = async (pattern: RegExp, seconds: number, from = 0): Promise<void> => {
    // At the end of the guest there is nobody to type for.
    await console.expect(pattern, seconds, from).catch(() => undefined);
  };
  const type = async (): Promise<void> => {
    await shows(new RegExp(sentinel, 'm'), BOOT_LIMIT);
    for await (const line of createInterface({ input })) {
      const from = console.text().length;
      console.send(line);
      await shows(PROMPT, PROMPT_LIMIT, from);
    }
  };
  const status = await Promise.race([console.ended(), type().then(console.ended)]);
  // An input that stays open would keep us waiting.
  input.destroy();
  return status;
}

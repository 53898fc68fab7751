/** A booted image with a shell at its console, for checks. */
import type { Definition } from './definition.ts';
import { openConsole, type Console, type Machine } from './qemu.ts';

export interface Guest {
  /** From the start of QEMU to the sentinel. */
  readonly bootSeconds: number;
  /** Processor time that QEMU took until then. */
  readonly bootProcessorSeconds: number;
  /** Runs shell text; both outputs come back. @throws IcepkgError `image-failed` where it takes longer than `seconds` */
  readonly run: (
    command: string,
    seconds?: number,
  ) => Promise<{ readonly status: number; readonly output: string }>;
  /** Types without waiting for an end. */
  readonly send: (line: string) => void;
  /** Waits until QEMU ended by itself. @returns its exit status */
  readonly ended: () => Promise<number>;
  /** Ends it as a power cut does. */
  readonly end: () => Promise<void>;
}

/** No emulated machine takes longer to boot, in seconds. */
const BOOT_LIMIT = 300;
const COMMAND_LIMIT = 900;
/** How long a shell that listens takes to answer. */
const ANSWER_LIMIT = 5;
/** What Ctrl-C sends. */
const INTERRUPT = '\x03';

/**
 * @param onStep is told what the boot is waited for by
 * @throws IcepkgError `image-failed` where the sentinel never shows, with the end of the console
 */
export async function bootGuest(
  machine: Machine,
  boot: NonNullable<Definition['boot']>,
  onStep: (step: string) => void = () => undefined,
): Promise<Guest> {
  const started = performance.now();
  const console = openConsole(machine);
  try {
    onStep(`waiting for '${boot.sentinel}', at most ${BOOT_LIMIT} s`);
    await console.expect(new RegExp(boot.sentinel, 'm'), BOOT_LIMIT);
    const bootSeconds = (performance.now() - started) / 1000;
    const bootProcessorSeconds = console.processorSeconds();
    if (boot.login !== undefined) onStep('logging in');
    await logIn(console, boot.login ?? []);
    const run = openShell(console);
    await run('stty -echo 2>/dev/null; PS1= PS2=; true');
    const { send, ended, close: end } = console;
    return { bootSeconds, bootProcessorSeconds, run, send, ended, end };
  } catch (error) {
    await console.close();
    throw error;
  }
}

/** Each line answers a question; when the last one is given, a shell listens. */
async function logIn(console: Console, lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const from = console.text().length;
    console.send(line);
    await console.expect(/(?:assword: ?|[#$%] ?)$/, COMMAND_LIMIT, from);
  }
  // A terminal that changes hands may drop what is typed meanwhile.
  const deadline = Date.now() + COMMAND_LIMIT * 1000;
  for (;;) {
    const from = console.text().length;
    console.send(`${INTERRUPT}echo "ice""pkg-ready"`);
    const answer = console.expect(/icepkg-ready/, ANSWER_LIMIT, from);
    const heard = await answer.catch((error: unknown) => {
      if (Date.now() > deadline) throw error;
    });
    if (heard !== undefined) return;
  }
}

/** Commands are told apart by a mark that the echo of the command does not hold. */
function openShell(console: Console): Guest['run'] {
  let count = 0;
  return async (command, seconds = COMMAND_LIMIT) => {
    const mark = `icepkg-${++count}`;
    const from = console.text().length;
    console.send(`{ ${command.trimEnd()}\n} 2>&1; echo "ice""pkg-${count}:$?:"`);
    const found = await console.expect(new RegExp(`${mark}:(\\d+):`), seconds, from);
    const output = found.input.slice(0, found.index).trim();
    return { status: Number(found[1]), output };
  };
}

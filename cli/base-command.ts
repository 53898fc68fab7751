/** What every command shares: the flags, JSON or text, and the way to a root. */
import type { EngineContext } from '#engine/context';
import type { MachineArch } from '#schema/fields';
import { IcepkgError } from '#schema/error';
import { Args, Command, Flags } from './oclif.ts';
import type { Interruption } from './interruption.ts';
import { printRemark, printResult } from './output.ts';
import { createProgressReporter } from './progress.ts';

const MACHINE_ARCHES = ['x86_64', 'aarch64'] as const;

/** For commands that make packages or roots for a machine. */
export const archFlag = {
  arch: Flags.option({
    options: MACHINE_ARCHES,
    helpValue: 'ARCH',
    summary: 'machine architecture',
  })(),
};

/** For commands that look at or change a root. */
export const rootFlags = {
  root: Flags.string({ default: '/', helpValue: 'DIR', summary: 'root folder to work on' }),
  ...archFlag,
  offline: Flags.boolean({ summary: 'open no connection; use caches and folders only' }),
};

/** For commands that change a root by a plan. */
export const changeFlags = {
  ...rootFlags,
  yes: Flags.boolean({ char: 'y', summary: 'do not ask' }),
  'dry-run': Flags.boolean({ char: 'n', summary: 'show the plan and change nothing' }),
  'no-sync': Flags.boolean({
    summary: 'do not wait for the disk; a power cut, not a crash, may tear the root',
  }),
};

/** The values of `rootFlags` after parsing. */
export interface RootFlagValues {
  readonly root: string;
  readonly arch?: MachineArch | undefined;
  readonly offline: boolean;
  readonly quiet: boolean;
  readonly 'no-sync'?: boolean;
}

/**
 * Base of all commands. `run` returns plain data, which `--json` prints; for people it prints with `print`.
 * Errors are thrown as `IcepkgError`; `main.ts` renders them and sets the exit status.
 */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true;
  static override baseFlags = {
    quiet: Flags.boolean({ char: 'q', summary: 'print errors and results only' }),
  };

  /** What hints go through before anybody sees them; set by `main.ts`. */
  hintText: (hint: string) => string = (hint) => hint;

  /** The signal that asked the command to stop. */
  interruption: Interruption | undefined;

  /** Prints text for people on stdout, escaped; silent under `--json`. */
  protected print(text: string): void {
    if (!this.jsonEnabled()) printResult(text);
  }

  /** Prints a remark on stderr, escaped; silent under `--json`. */
  protected remark(text: string): void {
    if (!this.jsonEnabled()) printRemark(text);
  }

  /** Opens the root that the flags name, with progress on stderr. */
  protected async openRoot(flags: RootFlagValues): Promise<EngineContext> {
    const { openContext } = await import('#engine/context');
    return openContext({
      root: flags.root,
      ...(flags.arch === undefined ? {} : { arch: flags.arch }),
      offline: flags.offline,
      sync: flags['no-sync'] !== true,
      signal: this.interruptible(),
      onProgress: createProgressReporter({ quiet: flags.quiet || this.jsonEnabled() }),
    });
  }

  /** Aborted by the first SIGINT or SIGTERM; a second one ends the process at once. */
  protected interruptible(): AbortSignal {
    const interrupt = new AbortController();
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        this.interruption = name;
        interrupt.abort();
      });
    }
    return interrupt.signal;
  }

  abstract override run(): Promise<unknown>;
}

/** The number of a transaction, as an argument. @throws IcepkgError `usage` */
export const transactionArg = Args.custom<number>({
  parse: async (text) => {
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
    throw new IcepkgError('usage', `${text} is no number of a transaction`, {
      hint: 'See their numbers: icepkg history',
    });
  },
});

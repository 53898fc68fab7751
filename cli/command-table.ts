/** The table of commands that help, the manual and the start-up read instead of loading every command. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface FlagHelp {
  readonly name: string;
  readonly char?: string;
  /** What stands for the value; absent for a switch. */
  readonly value?: string;
  readonly summary: string;
  readonly default?: string;
  readonly options?: readonly string[];
  readonly multiple?: boolean;
  readonly required?: boolean;
}

export interface ArgumentHelp {
  readonly name: string;
  readonly summary: string;
  readonly required: boolean;
}

export interface CommandHelp {
  /** `install`, or `repo:add` for `icepkg repo add`. */
  readonly id: string;
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly string[];
  readonly args: readonly ArgumentHelp[];
  /** Takes any number of the last argument. */
  readonly variadic: boolean;
  readonly flags: readonly FlagHelp[];
}

export interface CommandTable {
  readonly version: string;
  readonly commands: readonly CommandHelp[];
}

interface RawFlag {
  readonly type: 'boolean' | 'option';
  readonly char?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly helpValue?: string | string[];
  readonly default?: unknown;
  readonly options?: readonly string[];
  readonly multiple?: boolean;
  readonly required?: boolean;
  readonly hidden?: boolean;
}

interface RawCommand {
  readonly summary?: string;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly strict?: boolean;
  readonly args?: Readonly<
    Record<string, { readonly description?: string; readonly summary?: string; readonly required?: boolean }>
  >;
  readonly flags?: Readonly<Record<string, RawFlag>>;
  readonly baseFlags?: Readonly<Record<string, RawFlag>>;
}

/** Loads every command below `cli/commands`. */
export async function buildCommandTable(): Promise<CommandTable> {
  const folder = fileURLToPath(new URL('./commands/', import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[jt]s$/.test(file) && !file.endsWith('.d.ts'))
    .sort();
  const commands: CommandHelp[] = [];
  for (const file of files) {
    const loaded = (await import(new URL(`./commands/${file}`, import.meta.url).href)) as {
      default?: RawCommand;
    };
    if (loaded.default !== undefined)
      commands.push(describe(file.replace(/\.[jt]s$/, '').replaceAll('/', ':'), loaded.default));
  }
  return { version: packageVersion(), commands };
}

function packageVersion(): string {
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const parsed = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { version: string };
      return parsed.version;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  throw new Error('package.json is missing beside cli/');
}

function describe(id: string, raw: RawCommand): CommandHelp {
  const flags = Object.entries({ ...raw.flags, ...raw.baseFlags }).filter(([, flag]) => flag.hidden !== true);
  return {
    id,
    summary: raw.summary ?? '',
    description: raw.description ?? '',
    examples: (raw.examples ?? []).map(String),
    variadic: raw.strict === false,
    args: Object.entries(raw.args ?? {}).map(([name, argument]) => ({
      name,
      summary: argument.summary ?? argument.description ?? '',
      required: argument.required ?? false,
    })),
    flags: [
      ...flags.map(([name, flag]) => describeFlag(name, flag)),
      { name: 'json', summary: 'print the result as JSON' },
      { name: 'help', char: 'h', summary: 'show this help' },
    ].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function describeFlag(name: string, flag: RawFlag): FlagHelp {
  const value = Array.isArray(flag.helpValue) ? flag.helpValue[0] : flag.helpValue;
  return {
    name,
    ...(flag.char === undefined ? {} : { char: flag.char }),
    ...(flag.type === 'option' ? { value: (value ?? name.toUpperCase()).replace(/^<|>$/g, '') } : {}),
    summary: flag.summary ?? flag.description ?? '',
    ...(typeof flag.default === 'string' || typeof flag.default === 'number'
      ? { default: String(flag.default) }
      : {}),
    ...(flag.options === undefined ? {} : { options: flag.options }),
    ...(flag.multiple === true ? { multiple: true } : {}),
    ...(flag.required === true ? { required: true } : {}),
  };
}

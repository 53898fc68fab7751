/** Finds the command that the arguments name, loads that one module and runs it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { BaseCommand } from './base-command.ts';
import type { CommandTable } from './command-table.ts';
import { findCommand, renderCommandHelp, renderOverview, type FoundCommand } from './help.ts';
import { hintWriter } from './hints.ts';

/** `ID`s are paths below `cli/commands`, with `:` for `/`. */
interface CommandModule {
  readonly default: new (argv: string[], config: object) => BaseCommand;
}

const SOURCE = import.meta.url.endsWith('.ts');

/** @returns the exit status */
export async function main(argv: readonly string[]): Promise<number> {
  const table = await loadTable();
  if (argv[0] === '--version' || argv[0] === '-V') {
    process.stdout.write(`icepkg ${table.version}\n`);
    return 0;
  }
  const asked = argv[0] === 'help' ? argv.slice(1) : argv;
  const found = findCommand(table, asked);
  if (found === undefined) return unknownCommand(table, asked);
  const end = found.rest.indexOf('--');
  const options = end === -1 ? found.rest : found.rest.slice(0, end);
  if (argv[0] === 'help' || options.some((word) => word === '--help' || word === '-h')) {
    process.stdout.write(renderCommandHelp(found.command));
    return 0;
  }
  return runCommand(table, found);
}

async function loadTable(): Promise<CommandTable> {
  if (SOURCE) {
    const { buildCommandTable } = await import('./command-table.ts');
    return buildCommandTable();
  }
  const file = fileURLToPath(new URL('../oclif.manifest.json', import.meta.url));
  return JSON.parse(readFileSync(file, 'utf8')) as CommandTable;
}

async function unknownCommand(table: CommandTable, asked: readonly string[]): Promise<number> {
  const words = asked.filter((word) => !word.startsWith('-'));
  const topic = table.commands.some((command) => command.id.startsWith(`${words[0] ?? ''}:`));
  const whole = words.join(':');
  if (words.length === 0 || table.commands.some((command) => command.id.startsWith(`${whole}:`))) {
    process.stdout.write(renderOverview(table, words.length === 0 ? undefined : whole));
    return 0;
  }
  const { IcepkgError } = await import('#schema/error');
  const { reportError } = await import('./render-error.ts');
  const { nearest } = await import('#schema/nearest');
  const { meant } = await import('./hints.ts');
  const ids = table.commands.map((command) => command.id.replaceAll(':', ' '));
  const pairs = ids.filter((id) => id.includes(' '));
  const near =
    nearest(words.slice(0, 2).join(' '), pairs) ?? (topic ? undefined : nearest(words[0] ?? '', ids));
  const error = new IcepkgError('usage', `no command is called ${words.slice(0, topic ? 2 : 1).join(' ')}`, {
    hint: meant(near && `icepkg ${near}`, 'All commands: icepkg --help'),
  });
  return reportError(error, { json: asked.includes('--json'), hintText: (hint) => hint });
}

async function runCommand(table: CommandTable, { command: help, rest }: FoundCommand): Promise<number> {
  const path = help.id.replaceAll(':', '/');
  const module = (await import(
    new URL(`./commands/${path}.${SOURCE ? 'ts' : 'js'}`, import.meta.url).href
  )) as CommandModule;
  const command = new module.default([...rest], {
    bin: 'icepkg',
    version: table.version,
    runHook: async () => ({ successes: [], failures: [] }),
  });
  const json = command.jsonEnabled();
  command.hintText = hintWriter(table, rest);
  try {
    const result = await command.run();
    if (json) {
      const { printJson } = await import('./output.ts');
      printJson(result ?? {});
    }
    return Number(process.exitCode ?? 0);
  } catch (error) {
    const { asUserError, reportError } = await import('./render-error.ts');
    const { interruptionError, SIGNAL_STATUS } = await import('./interruption.ts');
    const { interruption, hintText } = command;
    const changesRoot = help.flags.some(({ name }) => name === 'yes');
    const shown = interruption === undefined ? error : interruptionError(error, changesRoot);
    const reported = reportError(asUserError(shown, help), { json, hintText });
    const status = interruption === undefined ? reported : SIGNAL_STATUS[interruption];
    if (error instanceof Error) Object.assign(error, { exitCode: status });
    return status;
  }
}

/** Renders help from the command table alone, so that printing it loads nothing else. */
import type { ArgumentHelp, CommandHelp, CommandTable, FlagHelp } from './command-table.ts';

export interface FoundCommand {
  readonly command: CommandHelp;
  /** The arguments after the command's own words. */
  readonly rest: readonly string[];
}

/** The longest run of leading words that names a command. */
export function findCommand(table: CommandTable, argv: readonly string[]): FoundCommand | undefined {
  for (const words of [3, 2, 1]) {
    if (argv.length < words) continue;
    const id = argv.slice(0, words).join(':');
    const command = table.commands.find((candidate) => candidate.id === id);
    if (command !== undefined) return { command, rest: argv.slice(words) };
  }
  return undefined;
}

export const commandName = (command: CommandHelp): string => `icepkg ${command.id.replaceAll(':', ' ')}`;

export function usageOf(command: CommandHelp): string {
  const last = command.args.length - 1;
  const args = command.args.map((argument, index) =>
    argumentUsage(argument, command.variadic && index === last),
  );
  const needed = command.flags
    .filter((flag) => flag.required === true)
    .map((flag) => `--${flag.name} ${flag.value ?? ''}`);
  return [commandName(command), ...args, ...needed, '[FLAGS]'].join(' ');
}

function argumentUsage(argument: ArgumentHelp, many: boolean): string {
  const text = `${argument.name.toUpperCase()}${many ? '...' : ''}`;
  return argument.required ? text : `[${text}]`;
}

export function flagSyntax(flag: FlagHelp): string {
  const short = flag.char === undefined ? '    ' : `-${flag.char}, `;
  return `${short}--${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
}

export function flagRemarks(flag: FlagHelp): string {
  const remarks = [
    ...(flag.options === undefined ? [] : [flag.options.join(' or ')]),
    ...(flag.default === undefined ? [] : [`default ${flag.default}`]),
    ...(flag.multiple === true ? ['may be repeated'] : []),
    ...(flag.required === true ? ['required'] : []),
  ];
  return remarks.length === 0 ? flag.summary : `${flag.summary} (${remarks.join('; ')})`;
}

function twoColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}

export function renderCommandHelp(command: CommandHelp): string {
  const parts = [`${command.summary}\n\nusage: ${usageOf(command)}\n`];
  if (command.args.length > 0)
    parts.push(
      `arguments:\n${twoColumns(command.args.map((argument) => [argument.name.toUpperCase(), argument.summary]))}`,
    );
  parts.push(`flags:\n${twoColumns(command.flags.map((flag) => [flagSyntax(flag), flagRemarks(flag)]))}`);
  if (command.description !== '') parts.push(`${command.description}\n`);
  if (command.examples.length > 0)
    parts.push(`examples:\n${command.examples.map((example) => `  ${example}\n`).join('')}`);
  return parts.join('\n');
}

export function renderOverview(table: CommandTable, topic: string | undefined): string {
  const shown = table.commands.filter((command) => topic === undefined || command.id.startsWith(`${topic}:`));
  const rows = shown.map((command) => [command.id.replaceAll(':', ' '), command.summary] as const);
  return `icepkg ${table.version}: package manager, builder and repository tools for small Linux systems

usage: icepkg COMMAND [ARGUMENTS] [FLAGS]

commands:
${twoColumns(rows)}
Help for one command: icepkg COMMAND --help
`;
}

/** Renders `docs/commands.md` from the table of commands. */
import type { CommandHelp, CommandTable } from './command-table.ts';
import { commandName, flagRemarks, flagSyntax, usageOf } from './help.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function section(command: CommandHelp): string {
  const parts = [`## ${commandName(command)}`, `${command.summary}.`, `\`\`\`\n${usageOf(command)}\n\`\`\``];
  if (command.description !== '') parts.push(command.description);
  const rows = [
    ...command.args.map((one) => `| \`${one.name.toUpperCase()}\` | ${cell(one.summary)} |`),
    ...command.flags.map((flag) => `| \`${flagSyntax(flag).trim()}\` | ${cell(flagRemarks(flag))} |`),
  ];
  parts.push(['| argument or flag | meaning |', '|---|---|', ...rows].join('\n'));
  if (command.examples.length > 0) parts.push(`\`\`\`sh\n${command.examples.join('\n')}\n\`\`\``);
  return parts.join('\n\n');
}

export function commandsDocument(table: CommandTable): string {
  const intro =
    '# Commands\n\n`npm run docs` writes this page from the commands themselves. Exit statuses: [errors](errors.md).';
  return `${[intro, ...table.commands.map(section)].join('\n\n')}\n`;
}

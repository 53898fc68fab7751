/** Writes docs/commands.md. */
import { writeFileSync } from 'node:fs';
import { buildCommandTable } from '#cli/command-table';
import { commandsDocument } from '#cli/commands-document';

writeFileSync(
  new URL('../../docs/commands.md', import.meta.url),
  commandsDocument(await buildCommandTable()),
);

/** Writes docs/commands.md and the JSON Schemas. */
import { writeFileSync } from 'node:fs';
import { buildCommandTable } from '#cli/command-table';
import { commandsDocument } from '#cli/commands-document';
import { publishedSchemas } from '#cli/json-schemas';

writeFileSync(
  new URL('../../docs/commands.md', import.meta.url),
  commandsDocument(await buildCommandTable()),
);
for (const [file, text] of await publishedSchemas())
  writeFileSync(new URL(`../../index-schema/${file}`, import.meta.url), text);

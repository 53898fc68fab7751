/** Writes docs/commands.md, docs/lint.md and the JSON Schemas. */
import { writeFileSync } from 'node:fs';
import { buildCommandTable } from '#cli/command-table';
import { commandsDocument } from '#cli/commands-document';
import { publishedSchemas } from '#cli/json-schemas';
import { lintDocument } from '#pkgbuild/lint/document';

writeFileSync(
  new URL('../../docs/commands.md', import.meta.url),
  commandsDocument(await buildCommandTable()),
);
writeFileSync(new URL('../../docs/lint.md', import.meta.url), lintDocument());
for (const [file, text] of await publishedSchemas())
  writeFileSync(new URL(`../../index-schema/${file}`, import.meta.url), text);

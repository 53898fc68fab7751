/** The first line of a recipe: where editors find the schema that completes and checks it. */
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const TOP = HERE.includes('/dist/') ? path.join(HERE, '../..') : path.join(HERE, '..');

/**
 * With its line break. Empty for a folder outside the tree that the schema is in: the path from one to the other is that of
 * one machine.
 * @param folder the recipe's
 */
export function schemaComment(folder: string): string {
  if (path.relative(TOP, folder).startsWith('..')) return '';
  const schema = path.relative(folder, path.join(TOP, 'index-schema/recipe.schema.json'));
  return `# yaml-language-server: $schema=${schema}\n`;
}

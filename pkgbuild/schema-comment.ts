/** The first line of a recipe: where editors find the schema that completes and checks it. */
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const TOP = HERE.includes('/dist/') ? path.join(HERE, '../..') : path.join(HERE, '..');

/** @param folder the recipe's */
export const schemaComment = (folder: string): string =>
  `# yaml-language-server: $schema=${path.relative(folder, path.join(TOP, 'index-schema/recipe.schema.json'))}`;

import { toJsonSchema } from '@valibot/to-json-schema';
import { format, resolveConfig } from 'prettier';
import { expect, test } from 'vitest';
import { RecipeSchema } from '#pkgbuild/recipe-schema';

/** `npx vitest run tests/pkgbuild/schema.test.ts -u` writes the file anew. */
test('the published JSON Schema of recipes is the one that the builder checks with', async () => {
  const schema = toJsonSchema(RecipeSchema, { errorMode: 'ignore', typeMode: 'input' });
  const text = JSON.stringify({ ...schema, $id: 'recipe.schema.json', title: 'icepkg recipe' });
  const file = '../../index-schema/recipe.schema.json';
  const config = await resolveConfig(new URL(file, import.meta.url).pathname);
  await expect(await format(text, { ...config, parser: 'json' })).toMatchFileSnapshot(file);
});

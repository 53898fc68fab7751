import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { publishedSchemas } from '#cli/json-schemas';

describe('the published JSON Schemas', async () => {
  test.each(await publishedSchemas())('%s is what `npm run docs` writes', (file, text) => {
    expect(readFileSync(new URL(`../../index-schema/${file}`, import.meta.url), 'utf8')).toBe(text);
  });
});

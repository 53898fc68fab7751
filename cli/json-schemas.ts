/** The published JSON Schemas, each generated from the schema that icepkg itself checks with. */
import { toJsonSchema } from '@valibot/to-json-schema';
import { BoardSchema, ImageSchema, ProfileSchema, SystemSchema } from '#bootstrap/definition-schema';
import { LockSchema } from '#bootstrap/lock';
import { IndexShardSchema } from '#schema/index-shard';
import { ManifestSchema } from '#schema/manifest';
import { PatchHeadSchema, PatchListSchema } from '#schema/patch/format';
import { SignaturesSchema } from '#schema/signature';
import { PackManifestSchema } from '#pkgbuild/pack-schema';
import { PipelineSchema } from '#pkgbuild/pipeline';
import { RecipeSchema } from '#pkgbuild/recipe-schema';

/** File names below `index-schema/`. */
const SCHEMAS = {
  'manifest.schema.json': { schema: ManifestSchema, title: 'icepkg package manifest' },
  'signatures.schema.json': { schema: SignaturesSchema, title: 'icepkg package signatures' },
  'index-shard.schema.json': { schema: IndexShardSchema, title: 'icepkg index shard' },
  'patch.schema.json': { schema: PatchHeadSchema, title: 'icepkg head of a patch' },
  'patch-list.schema.json': { schema: PatchListSchema, title: 'icepkg list of the patches to a package' },
  'pack.schema.json': { schema: PackManifestSchema, title: 'icepkg pack manifest file' },
  'recipe.schema.json': { schema: RecipeSchema, title: 'icepkg recipe' },
  'pipeline.schema.json': { schema: PipelineSchema, title: 'icepkg pipeline of recipes' },
  'image.schema.json': { schema: ImageSchema, title: 'icepkg image definition' },
  'image-system.schema.json': { schema: SystemSchema, title: 'icepkg system of images' },
  'image-board.schema.json': { schema: BoardSchema, title: 'icepkg board of images' },
  'image-profile.schema.json': { schema: ProfileSchema, title: 'icepkg profile of images' },
  'image-lock.schema.json': { schema: LockSchema, title: 'icepkg image lock' },
} as const;

/** Name and text of every published schema. What JSON Schema cannot express is in the descriptions. */
export async function publishedSchemas(): Promise<[string, string][]> {
  const { format, resolveConfig } = await import('prettier');
  const config = await resolveConfig(new URL('../package.json', import.meta.url).pathname);
  return Promise.all(
    Object.entries(SCHEMAS).map(async ([file, { schema, title }]): Promise<[string, string]> => {
      const { $schema, ...body } = toJsonSchema(schema, { errorMode: 'ignore', typeMode: 'input' });
      const text = JSON.stringify({ $schema, $id: file, title, ...body });
      return [file, await format(text, { ...config, parser: 'json' })];
    }),
  );
}

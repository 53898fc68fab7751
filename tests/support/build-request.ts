import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildRequest } from '#pkgbuild/build';
import type { MachineArch } from '#schema/fields';

const top = fileURLToPath(new URL('../..', import.meta.url));

/** A request to build recipes of `folder` for x86_64, with everything it makes below that folder. */
export const buildRequest = (
  folder: string,
  recipes: readonly string[],
  more: Partial<BuildRequest> = {},
): BuildRequest => ({
  recipes,
  arch: 'x86_64',
  roots: [path.join(folder, 'recipes')],
  cacheFolder: path.join(folder, 'cache'),
  output: path.join(folder, 'out'),
  keys: [],
  codec: 'zstd',
  jobs: 1,
  check: true,
  checkReproducible: false,
  onProgress: () => {},
  ...more,
});

/** A request to build recipes of the collection with the cache that `npm test` keeps. */
export const collectionRequest = (
  recipes: readonly string[],
  arch: MachineArch,
  output: string,
): BuildRequest =>
  buildRequest(top, recipes, {
    arch,
    cacheFolder: path.join(top, '.cache/icepkg'),
    output,
    jobs: os.availableParallelism(),
  });

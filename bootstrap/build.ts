/** Definition and lock in, images out. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { sha256 } from '#schema/digest';
import type { PrivateKey } from '#schema/keys';
import type { EngineContext } from '#engine/context';
import type { OnProgress } from '#engine/model';
import { sha256File } from '#pkgbuild/sources/cache';
import type { Definition } from './definition.ts';
import { deliver } from './deliver.ts';
import { DESCRIPTION, type BuiltFile } from './description.ts';
import { keepLast } from './keep-last.ts';
import type { Lock } from './lock.ts';
import type { MadeImage } from './make-image.ts';
import { walkOverlay } from './overlay-tree.ts';

export interface ImageRequest {
  readonly definition: Definition;
  readonly lock: Lock;
  /** Where missing packages come from; offline without. */
  readonly depot?: EngineContext;
  readonly cacheFolder: string;
  /** Folder that receives the images. */
  readonly output: string;
  /** Sign the checksums of the folder. */
  readonly keys?: readonly PrivateKey[];
  readonly onProgress?: OnProgress;
  readonly onStep?: (step: string) => void;
  readonly signal?: AbortSignal;
}

export interface BuiltImage {
  readonly name: string;
  /** Digest of everything that went in. */
  readonly key: string;
  readonly cached: boolean;
  readonly files: readonly BuiltFile[];
  readonly notices: readonly string[];
}

/** Raised when the composer itself comes to make something else of the same input. */
const COMPOSER_REVISION = 12;
/** Stays, so that a definition keeps the ids that its disks, partitions and file systems have. */
const ID_REVISION = 10;

/**
 * Builds every format that the definition asks for; outputs appear by rename, all or none.
 * @throws IcepkgError
 */
export async function buildImage(request: ImageRequest): Promise<BuiltImage> {
  const { definition, cacheFolder, output } = request;
  // Ids are those of the definition, so that a file system that no package changes stays as it is.
  const ids = imageKey(definition, [], ID_REVISION);
  const key = imageKey(definition, request.lock.locked, COMPOSER_REVISION);
  const kept = path.join(cacheFolder, 'images', `${definition.name}.${definition.arch}`, key);
  const cached = fs.existsSync(path.join(kept, DESCRIPTION));
  let made: MadeImage = { notices: [], tidied: Promise.resolve() };
  if (!cached) {
    // An image that is there already needs nothing of what makes one.
    const { makeImage } = await import('./make-image.ts');
    made = await makeImage(kept, { key, ids, revision: COMPOSER_REVISION }, request);
  }
  // First, so that no other build removes what is delivered.
  keepLast(kept);
  const { files } = deliver(kept, output, request.keys ?? []);
  await made.tidied;
  return { name: definition.name, key, cached, files, notices: made.notices };
}

function imageKey(definition: Definition, locked: Lock['locked'], composer: number): string {
  const { files: _, overlays, repositories, ...settings } = definition;
  return sha256(
    JSON.stringify({
      composer,
      settings,
      repositories: repositories.map(({ value, folder }) => [
        value,
        sha256File(path.join(folder, value.trust)),
      ]),
      overlays: overlays.map((folder) =>
        walkOverlay(folder).map((entry) => [
          entry.path,
          entry.type,
          entry.mode,
          entry.target ?? (entry.type === 'file' ? sha256File(path.join(folder, entry.path)) : ''),
        ]),
      ),
      packages: locked.map(({ repository, record }) => [repository, record.package.sha256]),
    }),
  );
}

/** Definition and lock in, images out. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { canonicalJson } from '#schema/canonical-json';
import { sha256 } from '#schema/digest';
import type { PrivateKey } from '#schema/keys';
import type { EngineContext } from '#engine/context';
import type { OnProgress } from '#engine/model';
import { sha256File } from '#pkgbuild/sources/cache';
import { walkTree } from '#pkgbuild/tree';
import { checkBinaries } from './check-binaries.ts';
import { kernelCommandLine } from './command-line.ts';
import { composeRoot } from './compose.ts';
import type { Definition } from './definition.ts';
import { packageCache } from './depot.ts';
import { deliver } from './deliver.ts';
import { DESCRIPTION, type BuiltFile, type ImageDescription } from './description.ts';
import { fetchLocked, type Lock } from './lock.ts';
import { makeOutputs } from './outputs.ts';

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
const COMPOSER_REVISION = 7;

/**
 * Builds every format that the definition asks for; outputs appear by rename, all or none.
 * @throws IcepkgError
 */
export async function buildImage(request: ImageRequest): Promise<BuiltImage> {
  const { definition, cacheFolder, output } = request;
  // Ids are those of the definition, so that a file system that no package changes stays as it is.
  const ids = imageKey(definition, []);
  const key = imageKey(definition, request.lock.locked);
  const kept = path.join(cacheFolder, 'images', key);
  const cached = fs.existsSync(path.join(kept, DESCRIPTION));
  let notices: readonly string[] = [];
  if (!cached) notices = await buildInto(kept, { key, ids }, request);
  const description = deliver(kept, output, request.keys ?? []);
  return { name: definition.name, key, cached, files: description.files, notices };
}

interface ImageKeys {
  /** Of everything that goes in. */
  readonly key: string;
  /** What ids of disks, partitions and file systems are derived from. */
  readonly ids: string;
}

async function buildInto(
  kept: string,
  { key, ids }: ImageKeys,
  request: ImageRequest,
): Promise<readonly string[]> {
  const { definition, lock, depot, cacheFolder, onStep = () => undefined, signal } = request;
  if (depot !== undefined) await fetchLocked(depot, lock, packageCache(cacheFolder));
  fs.mkdirSync(path.dirname(kept), { recursive: true });
  const scratch = fs.mkdtempSync(path.join(path.dirname(kept), '.image-'));
  try {
    onStep('compose');
    const composed = await composeRoot(definition, lock, path.join(scratch, 'root'), {
      key: ids,
      packageCache: packageCache(cacheFolder),
      ...(request.onProgress === undefined ? {} : { onProgress: request.onProgress }),
      ...(signal === undefined ? {} : { signal }),
    });
    checkBinaries(composed, definition.arch);
    const out = path.join(scratch, 'out');
    fs.mkdirSync(out);
    const { files, entries } = await makeOutputs({
      definition,
      key: ids,
      fileSystems: path.join(cacheFolder, 'filesystems', `${definition.name}.${definition.arch}`),
      revision: COMPOSER_REVISION,
      tree: composed,
      out,
      scratch,
      onStep,
      ...(signal === undefined ? {} : { signal }),
    });
    const description: ImageDescription = {
      format: 1,
      name: definition.name,
      system: definition.system,
      board: definition.board,
      arch: definition.arch,
      key,
      cmdline: kernelCommandLine(definition, ids),
      files: [...files],
      packages: lock.packages,
      locked: lock.locked,
      entries: [...entries],
    };
    fs.writeFileSync(path.join(out, DESCRIPTION), canonicalJson(description));
    fs.renameSync(out, kept);
    return composed.notices;
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function imageKey(definition: Definition, locked: Lock['locked']): string {
  const { files: _, overlays, repositories, ...settings } = definition;
  return sha256(
    JSON.stringify({
      composer: COMPOSER_REVISION,
      settings,
      repositories: repositories.map(({ value, folder }) => [
        value,
        sha256File(path.join(folder, value.trust)),
      ]),
      overlays: overlays.map((folder) =>
        walkTree(folder, { holder: folder, code: 'format-invalid', nodes: false }).map((entry) => [
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

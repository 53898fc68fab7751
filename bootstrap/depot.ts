/**
 * Where an image's packages come from: a root that is never installed into, kept in the cache, whose attached repositories
 * are refreshed and verified as those of any machine. Rollback protection lasts over builds.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { attachRepository } from '#engine/config-attach';
import { openContext, type EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import type { OnProgress } from '#engine/model';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { readInput } from './read-input.ts';

export interface DepotRepository {
  readonly name: string;
  readonly mirrors: readonly string[];
  readonly channel?: string;
  /** Path of the `root.json` to trust. */
  readonly trust: string;
}

export interface DepotOptions {
  readonly arch: MachineArch;
  readonly repositories: readonly DepotRepository[];
  readonly cacheFolder: string;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** The folder that keeps packages of all depots, by sha256. */
export const packageCache = (cacheFolder: string): string => path.join(cacheFolder, 'packages');

/** @throws IcepkgError `usage` without a repository, and what attaching one throws */
export function openDepot(options: DepotOptions): EngineContext {
  const { arch, repositories, cacheFolder, onProgress, signal } = options;
  if (repositories.length === 0)
    throw new IcepkgError('usage', 'no repository to take packages from', {
      hint: 'Name one: --repository main=DIR-OR-URL --trust root.json, or list repositories in the definition',
    });
  const anchors = repositories.map((one) => ({ ...one, trust: sha256(readTrust(one.trust)), arch }));
  const root = path.join(cacheFolder, 'depots', sha256(JSON.stringify(anchors)).slice(0, 16));
  if (!fs.existsSync(root)) {
    const fresh = fs.mkdtempSync(path.join(makeFolder(path.dirname(root)), '.depot-'));
    initRoot(fresh, { arch });
    for (const { name, mirrors, channel, trust } of repositories)
      attachRepository(fresh, {
        name,
        mirrors: mirrors.map((mirror) => (mirror.includes('://') ? mirror : path.resolve(mirror))),
        trustedRoot: trust,
        ...(channel === undefined ? {} : { channel }),
      });
    fs.renameSync(fresh, root);
  }
  return openContext({
    root,
    arch,
    packageCache: packageCache(cacheFolder),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(signal === undefined ? {} : { signal }),
  });
}

const readTrust = (file: string): Buffer =>
  readInput(file, 'Name the root.json that the operator of the repository gave you');

function makeFolder(folder: string): string {
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}

/** Composes the root of an image: the engine installs the packages, then the declared overlay goes on top. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { stringify } from 'smol-toml';
import { changeWorld } from '#engine/change-world';
import { attachRepository } from '#engine/config-attach';
import { openContext, type EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import type { FetchedPackage, OnProgress } from '#engine/model';
import type { Donor } from '#engine/stage/donor';
import { IcepkgError } from '#schema/error';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { checkOwnFolders } from '#engine/root-fs/own-folders';
import { sealRoot } from '#engine/seal-root';
import { ACCOUNT_FILES, applyUsers } from './accounts.ts';
import type { Definition } from './definition.ts';
import { candidatesOf, fetchLocked, isCached, type Lock } from './lock.ts';
import { makeMountPoints, writeMountTable } from './mount-table.ts';
import { applyOverlays } from './overlay.ts';
import { applyServices } from './services.ts';
import type { RootEntry } from './description.ts';
import { rootEntries } from './root-entries.ts';
import { writeInRoot } from './root-path.ts';

const HOSTNAME = 'etc/hostname';

export interface ComposeOptions {
  /** What ids of file systems are derived from. */
  readonly key: string;
  readonly packageCache: string;
  /** Where missing packages come from. */
  readonly depot?: EngineContext;
  /** Has files of the packages lying ready. */
  readonly donor?: Donor;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

export interface ComposedRoot {
  readonly folder: string;
  /** Every path with the owner, mode and attributes that it has in the image, sorted. */
  readonly entries: readonly RootEntry[];
  readonly notices: readonly string[];
}

/**
 * Makes `folder`, which must not exist, the root that definition and lock describe. Without root rights the owners and
 * set-id bits on disk differ; `entries` has them as they will be in the image.
 */
export async function composeRoot(
  definition: Definition,
  lock: Lock,
  folder: string,
  options: ComposeOptions,
): Promise<ComposedRoot> {
  const { root } = initRoot(folder, { arch: definition.arch });
  writeConfiguration(root, definition);
  const { packageCache } = options;
  const context = openContext({
    root,
    offline: true,
    sync: false,
    composing: true,
    packageCache,
    // The image's history begins when its packages were built, wherever and whenever it is composed.
    now: () => new Date(BUILD_EPOCH * 1000),
    operator: 'image',
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const ready =
    options.depot === undefined
      ? await fromCache(context, lock, packageCache)
      : await fetchLocked(options.depot, lock, packageCache);
  const outcome = await changeWorld(context, {
    description: `compose ${definition.name}`,
    edit: (world) => ({ ...world, depends: [...definition.packages] }),
    upgrade: 'none',
    recommends: false,
    candidates: candidatesOf(lock),
    ready,
    ...(options.donor === undefined ? {} : { donor: options.donor }),
    dryRun: false,
    confirm: () => true,
  });
  const overlaid = applyOverlays(root, definition);
  applyServices(root, definition);
  const owned = applyUsers(root, definition.users);
  writeInRoot(root, HOSTNAME, `${definition.hostname}\n`);
  makeMountPoints(root, definition);
  // What is on a medium has no partitions.
  if (definition.hardware.loader !== 'grub') writeMountTable(root, definition, options.key);
  checkOwnFolders(root);
  sealRoot(root);
  const entries = rootEntries(root, {
    manifests: ready.map(({ manifest }) => manifest),
    facts: new Map([...overlaid, ...owned]),
    written: new Set([...overlaid.keys(), ...owned.keys(), ...ACCOUNT_FILES, HOSTNAME]),
  });
  for (const { path: file } of entries) setTimes(path.join(root, file));
  setTimes(root);
  return { folder: root, entries, notices: outcome.notices };
}

/** @throws IcepkgError `offline-missing` where a package is not there, or not as the lock has it */
async function fromCache(context: EngineContext, lock: Lock, folder: string): Promise<FetchedPackage[]> {
  const absent = lock.locked
    .filter(({ record }) => !isCached(record, folder))
    .map(({ record }) => `${record.name}-${record.version}`);
  if (absent.length === 0) return fetchLocked(context, lock, folder);
  throw new IcepkgError('offline-missing', `not in the cache, or damaged there: ${absent.join(', ')}`, {
    hint: 'Name the repository that has them: --repository NAME=DIR-OR-URL --trust root.json',
  });
}

function writeConfiguration(root: string, definition: Definition): void {
  for (const { value, folder } of definition.repositories)
    attachRepository(root, {
      name: value.name,
      mirrors: value.mirrors,
      trustedRoot: path.join(folder, value.trust),
      ...(value.channel === undefined ? {} : { channel: value.channel }),
    });
  if (definition.skip.length > 0)
    fs.appendFileSync(
      path.join(root, 'etc/icepkg/icepkg.toml'),
      `\n${stringify({ files: { skip: [...definition.skip] } })}\n`,
    );
}

const setTimes = (file: string): void => fs.lutimesSync(file, BUILD_EPOCH, BUILD_EPOCH);

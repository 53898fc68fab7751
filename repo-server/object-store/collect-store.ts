/**
 * Garbage collection in an object store that a repository is published to: what the folder needs no more goes there too, in
 * the same two steps. The store must serve what the folder serves: only then does the folder know what is needed.
 */
import { join } from 'node:path';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import { planRemoval, readCondemned, writeCondemned, type Removal } from '../condemn.ts';
import { readRepositoryConfig } from '../config.ts';
import { keptSnapshots, type CollectOptions } from '../gc.ts';
import { inParallel } from '../in-parallel.ts';
import { channelsOf, metadataFolder, PRIVATE_FOLDER, readIfAny } from '../layout.ts';
import { withLock } from '../lock.ts';
import { readPool } from '../pool.ts';
import { isCollectable, referencedFiles } from '../references.ts';
import { withAdvisoryLock, type StillHeld } from './advisory-lock.ts';
import type { ObjectStore, StoredObject } from './s3.ts';

export interface CollectStoreOptions extends Omit<CollectOptions, 'onWrite'> {
  /** As for publishing there. */
  readonly lockDatabase?: string;
}

const PARALLEL = 8;

/** @throws IcepkgError `verify-failed` where the store serves something else than the folder, `root-locked`, `network-failed` */
export async function collectStore(
  repository: string,
  store: ObjectStore,
  options: CollectStoreOptions = {},
): Promise<Removal> {
  const { lockDatabase: database } = options;
  const collect = (held: StillHeld = () => Promise.resolve()): Promise<Removal> =>
    collectLocked({ repository, store, held }, options);
  return withLock(
    repository,
    () => {
      if (database === undefined) return collect();
      return withAdvisoryLock({ ...options, database, name: store.addressOf('') }, collect);
    },
    options,
  );
}

interface Place {
  readonly repository: string;
  readonly store: ObjectStore;
  readonly held: StillHeld;
}

async function collectLocked(place: Place, options: CollectStoreOptions): Promise<Removal> {
  const { repository, store } = place;
  const { retention = readRepositoryConfig(repository).retention, now = new Date(), graceHours } = options;
  const there = await store.list();
  await checkSame(place, there);
  const notes = `${PRIVATE_FOLDER}/condemned.${sha256(Buffer.from(store.addressOf(''))).slice(0, 16)}.json`;
  const kept = keptSnapshots(repository, retention, now);
  const candidates = {
    files: [...there.keys()].filter(isCollectable).sort(),
    sizeOf: (path: string): number => there.get(path)?.size ?? 0,
    referenced: referencedFiles(repository, readPool(repository), kept),
    before: readCondemned(repository, notes),
  };
  const plan = planRemoval(candidates, now, graceHours);
  if (options.dryRun !== true) {
    // Somebody else may have published meanwhile, and what they need is not ours to judge.
    await checkSame(place, there);
    await inParallel(plan.removed, PARALLEL, (path) => store.remove(path));
    writeCondemned(repository, notes, plan);
  }
  const { condemned, waiting, removed, removedBytes } = plan;
  return { condemned, waiting, removed, removedBytes };
}

const ENTRY = /^channels\/([^/]+)\/metadata\/timestamp\.json$/;

/** The entry of every channel, here or there, must be the same. */
async function checkSame(
  { repository, store, held }: Place,
  there: ReadonlyMap<string, StoredObject>,
): Promise<void> {
  await held();
  const inStore = [...there.keys()].flatMap((path) => ENTRY.exec(path)?.[1] ?? []);
  for (const channel of new Set([...channelsOf(repository), ...inStore])) {
    const path = `${metadataFolder(channel)}/timestamp.json`;
    const here = readIfAny(join(repository, path));
    const stored = await store.get(path);
    if (stored?.text === (here && Buffer.from(here).toString('utf8'))) continue;
    throw new IcepkgError('verify-failed', `${store.addressOf(path)}: is not what this repository serves`, {
      hint: 'Bring it there first: icepkg repo publish --to; what another copy published there is for that one to collect',
    });
  }
}

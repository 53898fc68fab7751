/** The lock of an image: the exact packages it is made of, so that building again is offline and gives the same bytes. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as v from 'valibot';
import { changeWorld } from '#engine/change-world';
import { fetchPackages } from '#engine/client/fetch-packages';
import { withIndex } from '#engine/client/load-indexes';
import type { EngineContext } from '#engine/context';
import type { Candidate, Change, FetchedPackage } from '#engine/model';
import { parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { parseDependency } from '#schema/dependency';
import { IcepkgError } from '#schema/error';
import { DependencySchema, PackageNameSchema } from '#schema/fields';
import { PackageRecordSchema } from '#schema/index-shard';
import { sha256File } from '#pkgbuild/sources/cache';
import type { Definition } from './definition.ts';
import { readInput } from './read-input.ts';

/** In the order in which they are installed. */
export const LockedPackagesSchema = v.array(
  v.strictObject({ repository: PackageNameSchema, reason: v.string(), record: PackageRecordSchema }),
);

export const LockSchema = v.strictObject({
  format: v.literal(1),
  name: v.string(),
  arch: v.picklist(['x86_64', 'aarch64']),
  /** What the definition asked for when it was locked. */
  packages: v.array(DependencySchema),
  locked: LockedPackagesSchema,
});
export type Lock = v.InferOutput<typeof LockSchema>;
type LockedRecord = Lock['locked'][number]['record'];

/**
 * Solves what the definition asks for, on a machine where nothing is installed.
 * @throws IcepkgError `unsolvable` with the proof
 */
export async function lockImage(definition: Definition, depot: EngineContext): Promise<Lock> {
  const { plan } = await solve(definition, depot);
  const locked = plan.changes.map(({ to, repository = '', reason }) => {
    if (to === undefined) throw new Error('nothing can be removed where nothing is installed');
    return { repository, reason, record: to.record };
  });
  return {
    format: 1,
    name: definition.name,
    arch: definition.arch,
    packages: [...definition.packages],
    locked,
  };
}

/**
 * @throws IcepkgError `unsolvable`, which names the architecture, as a package may be there for another one, and all packages
 * of the definition that no repository offers
 */
async function solve(definition: Definition, depot: EngineContext): ReturnType<typeof changeWorld> {
  return changeWorld(depot, {
    description: `lock ${definition.name}`,
    edit: (world) => ({ ...world, depends: [...definition.packages] }),
    upgrade: 'none',
    recommends: false,
    dryRun: true,
    confirm: () => false,
    refresh: 'force',
  }).catch(async (cause: unknown) => {
    if (!(cause instanceof IcepkgError) || cause.code !== 'unsolvable') throw cause;
    const missing = await notOffered(definition.packages, depot);
    // Of one, the proof says more, such as what is called nearly so.
    const message = missing.length > 1 ? `no repository offers ${missing.join(', ')}` : cause.message;
    const hint = missing.length > 0 ? ELSEWHERE : cause.hint;
    throw new IcepkgError('unsolvable', `for ${definition.arch}: ${message}`, {
      cause,
      ...(hint === undefined ? {} : { hint }),
      ...(cause.data === undefined ? {} : { data: cause.data }),
    });
  });
}

const ELSEWHERE =
  'Mend the name, or name the repository that has it, beside the others: --repository NAME=DIR-OR-URL --trust root.json';

const notOffered = (packages: readonly string[], depot: EngineContext): Promise<string[]> =>
  withIndex(depot, { refresh: 'never' }, (index) =>
    packages.filter((text) => {
      const dependency = parseDependency(text);
      if (dependency?.kind !== 'needs') return false;
      return dependency.anyOf.every(({ name }) => index.keyed([name]).length === 0);
    }),
  );

/** @throws IcepkgError `not-found`, `format-invalid` */
export const readLock = (file: string): Lock =>
  decodeLock(readInput(file, 'Make it: icepkg image lock'), file);

/** @throws IcepkgError `format-invalid` */
export const decodeLock = (bytes: Uint8Array, file: string): Lock =>
  decode(LockSchema, parseJson(bytes, file), file);

export const encodeLock = (lock: Lock): string => `${JSON.stringify(lock, undefined, 2)}\n`;

/** @throws IcepkgError `usage` where the lock was made for something else */
export function checkLock(lock: Lock, definition: Definition, file: string): void {
  const before = new Set(lock.packages);
  const now = new Set(definition.packages);
  const added = [...now].filter((one) => !before.has(one));
  const dropped = [...before].filter((one) => !now.has(one));
  const differences = [
    ...(lock.arch === definition.arch ? [] : [`it is for ${lock.arch}, not for ${definition.arch}`]),
    ...(added.length === 0 ? [] : [`it knows nothing of ${added.join(', ')}`]),
    ...(dropped.length === 0 ? [] : [`it still has ${dropped.join(', ')}`]),
  ];
  if (differences.length > 0)
    throw new IcepkgError('usage', `${file} does not fit ${definition.name}: ${differences.join('; ')}`, {
      hint: 'Lock anew: icepkg image lock',
    });
}

export const candidatesOf = (lock: Lock): Candidate[] =>
  lock.locked.map(({ repository, record }) => ({ record, source: { kind: 'repository', repository } }));

/** True where the cache `folder` has the package as the lock has it. */
export function isCached({ package: { sha256, size } }: LockedRecord, folder: string): boolean {
  const file = path.join(folder, `${sha256}.icepkg`);
  return fs.statSync(file, { throwIfNoEntry: false })?.size === size && sha256File(file) === sha256;
}

/**
 * Verifies every locked package, and brings into the cache `folder` what is not there yet.
 * @param context the depot, or a root without repositories where all are in the cache
 */
export async function fetchLocked(
  context: EngineContext,
  lock: Lock,
  folder: string,
): Promise<FetchedPackage[]> {
  const changes = candidatesOf(lock).map((to): Change => ({
    action: 'install',
    name: to.record.name,
    arch: to.record.arch,
    oldVersion: undefined,
    newVersion: to.record.version,
    repository: to.source.kind === 'repository' ? to.source.repository : undefined,
    reason: 'locked',
    from: undefined,
    to,
  }));
  fs.mkdirSync(folder, { recursive: true });
  const fetched = await fetchPackages(context, changes);
  for (const { change, file } of fetched) {
    const kept = path.join(folder, `${change.to?.record.package.sha256 ?? ''}.icepkg`);
    // A folder repository is read in place.
    if (file === kept || fs.existsSync(kept)) continue;
    fs.copyFileSync(file, `${kept}.new`, fs.constants.COPYFILE_FICLONE);
    fs.renameSync(`${kept}.new`, kept);
  }
  return fetched;
}

/** Takes packages into a repository, and out of its channels. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { verifyPackage, type VerifiedPackage } from '#schema/container/verify';
import { IcepkgError, isErrno } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import type { PublicKey } from '#schema/keys';
import { comparePaths } from '#schema/path';
import { packageFileName, recordOf } from '#schema/record';
import { verifyManifest } from '#schema/signature';
import { readRepositoryConfig } from './config.ts';
import { documentsBeside, type FoundDocument } from './documents.ts';
import { besides, DEFAULT_CHANNEL, doing, makeFolder, metadataFolder, syncFolder } from './layout.ts';
import { withLock } from './lock.ts';
import { readPool, writePool, type PooledPackage } from './pool.ts';

export interface AddPackagesOptions {
  readonly channel?: string;
  /** Where given, each package must be signed by one of these. */
  readonly trustedKeys?: readonly PublicKey[];
}

export interface AddedPackage {
  readonly record: PackageRecord;
  /** `known` where the channel had the very same package already. */
  readonly outcome: 'added' | 'known';
}

/**
 * Verifies each package whole and takes it in; what is published stays as it was until the next `publish`.
 * All packages are taken in or none is.
 * @throws IcepkgError `package-corrupt`, or `usage` where the repository has another package of the same version
 */
export async function addPackages(
  repository: string,
  files: readonly string[],
  options: AddPackagesOptions = {},
): Promise<readonly AddedPackage[]> {
  const { channel = DEFAULT_CHANNEL, trustedKeys } = options;
  metadataFolder(channel);
  readRepositoryConfig(repository);
  return withLock(repository, () => {
    const pool = new Map<string, PooledPackage>(readPool(repository));
    const incoming = files.map((file) => ({ file, checked: check(file, trustedKeys) }));
    for (const { file, checked } of incoming) {
      const other = pool.get(checked.path);
      if (other !== undefined && other.record.package.sha256 !== checked.sha256)
        throw differs(file, checked.path);
      pool.set(checked.path, withDocuments(other ?? { record: recordIn(checked), channels: [] }, checked));
    }
    const added: AddedPackage[] = [];
    const folders = new Set<string>();
    for (const { file, checked } of incoming) {
      const target = join(repository, checked.path);
      if (!isSame(target, checked)) {
        copyWhole(file, target, checked);
        folders.add(dirname(target));
      }
      for (const { file: document, record } of pooledDocuments(pool, checked)) {
        const beside = join(repository, record.path);
        if (isSame(beside, record)) continue;
        copyWhole(document, beside, record);
        folders.add(dirname(beside));
      }
      const pooled = pool.get(checked.path) ?? { record: recordIn(checked), channels: [] };
      const known = pooled.channels.includes(channel);
      if (!known) {
        pool.set(checked.path, { ...pooled, channels: [...pooled.channels, channel].sort(comparePaths) });
      }
      added.push({ record: pooled.record, outcome: known ? 'known' : 'added' });
    }
    for (const folder of folders) syncFolder(folder);
    // The pool comes last: a package that it names is there, whole.
    writePool(repository, pool);
    return added;
  });
}

export interface RemovePackagesOptions {
  readonly channel?: string;
}

/**
 * Takes packages out of a channel by `NAME` or `NAME-VERSION-rN`; their files stay for older snapshots.
 * @throws IcepkgError `not-found` where the channel has none of that name
 */
export async function removePackages(
  repository: string,
  names: readonly string[],
  { channel = DEFAULT_CHANNEL }: RemovePackagesOptions = {},
): Promise<readonly PackageRecord[]> {
  readRepositoryConfig(repository);
  return withLock(repository, () => {
    const pool = new Map<string, PooledPackage>(readPool(repository));
    const removed = new Map<string, PackageRecord>();
    for (const name of names) {
      const found = [...pool].filter(
        ([, { record, channels }]) =>
          channels.includes(channel) && (record.name === name || `${record.name}-${record.version}` === name),
      );
      if (found.length === 0) {
        throw new IcepkgError('not-found', `the channel ${channel} has no package ${name}`, {
          hint: 'Give NAME or NAME-VERSION-rN as icepkg repo status lists it',
        });
      }
      for (const [path, { record }] of found) removed.set(path, record);
    }
    for (const [path, record] of removed) {
      const channels = (pool.get(path)?.channels ?? []).filter((each) => each !== channel);
      pool.set(path, { record, channels });
    }
    writePool(repository, pool);
    return [...removed.values()];
  });
}

type Content = Pick<VerifiedPackage, 'size' | 'sha256'>;

interface Checked extends VerifiedPackage {
  /** Where it belongs in the repository. */
  readonly path: string;
  readonly documents: readonly FoundDocument[];
}

/** What was published under a path never changes: documents are taken once. */
function withDocuments(pooled: PooledPackage, { documents }: Checked): PooledPackage {
  if (pooled.record.documents !== undefined || documents.length === 0) return pooled;
  return { ...pooled, record: { ...pooled.record, documents: documents.map(({ record }) => record) } };
}

/** The documents beside an incoming package that are those that the pool names. */
function pooledDocuments(pool: ReadonlyMap<string, PooledPackage>, checked: Checked): FoundDocument[] {
  const named = pool.get(checked.path)?.record.documents ?? [];
  return checked.documents.filter(({ record }) => named.some(({ sha256 }) => sha256 === record.sha256));
}

const recordIn = ({ header, path, size, sha256 }: Checked): PackageRecord =>
  recordOf(header, { path, size, sha256 });

function check(file: string, trustedKeys: readonly PublicKey[] | undefined): Checked {
  const verified = verifyPackage(file);
  const { manifest, manifestBytes, signatures } = verified.header;
  if (trustedKeys !== undefined && verifyManifest(manifestBytes, signatures, trustedKeys).length === 0) {
    throw new IcepkgError('package-unsigned', `${file}: none of the trusted keys signed it`, {
      hint: 'Sign it when packing, with --key, or name the key that did with --trust',
    });
  }
  const path = `packages/${manifest.arch}/${packageFileName(manifest)}`;
  return { ...verified, path, documents: documentsBeside(file, { path, sha256: verified.sha256 }) };
}

function differs(file: string, path: string): IcepkgError {
  return new IcepkgError('usage', `${file}: the repository has another package as ${path}`, {
    hint: 'Raise the release in the recipe: what was published under a version never changes',
  });
}

/** True where the very package is in place already; a damaged one is replaced. */
function isSame(target: string, checked: Content): boolean {
  try {
    return fs.statSync(target).size === checked.size && hashFile(target) === checked.sha256;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Copies, and checks the copy: the file could have changed since it was verified. */
function copyWhole(file: string, target: string, checked: Content): void {
  doing(target, () => {
    const aside = besides(target);
    try {
      makeFolder(dirname(target));
      fs.copyFileSync(file, aside, fs.constants.COPYFILE_FICLONE);
      fs.chmodSync(aside, 0o644);
      if (hashFile(aside) !== checked.sha256) {
        throw new IcepkgError('package-corrupt', `${file}: changed while it was being added`, {
          hint: 'Add it again once nothing writes to it any more',
        });
      }
      const fd = fs.openSync(aside, 'r');
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      fs.renameSync(aside, target);
    } finally {
      fs.rmSync(aside, { force: true });
    }
  });
}

const PIECE = 1024 * 1024;

function hashFile(file: string): string {
  const hash = createHash('sha256');
  const room = Buffer.allocUnsafe(PIECE);
  const fd = fs.openSync(file, 'r');
  try {
    for (
      let size = fs.readSync(fd, room, 0, PIECE, null);
      size > 0;
      size = fs.readSync(fd, room, 0, PIECE, null)
    ) {
      hash.update(room.subarray(0, size));
    }
  } finally {
    fs.closeSync(fd);
  }
  return hash.digest('hex');
}

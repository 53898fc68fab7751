/** Takes packages into a repository, and out of its channels. */
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { verifyPackage, type VerifiedPackage } from '#schema/container/verify';
import { IcepkgError, isErrno } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import type { PublicKey } from '#schema/keys';
import { packageFileName, recordOf } from '#schema/record';
import { verifyManifest } from '#schema/signature';
import { documentsBeside, type FoundDocument } from './documents.ts';
import { hashFile } from './hash-file.ts';
import { byVersion } from './index-diff.ts';
import { besides, doing, makeFolder, syncFolder } from './layout.ts';
import type { LockOptions } from './lock.ts';
import { withChannel, type OpenChannel } from './change-channel.ts';
import { stage, withStage, writePool, type Pool } from './pool.ts';

export interface AddPackagesOptions extends LockOptions {
  readonly channel?: string;
  /** Where given, each package must be signed by one of these. */
  readonly trustedKeys?: readonly PublicKey[];
  /** Refuses packages older than what the channel has, or will have with its next publish. */
  readonly refuseOlder?: boolean;
}

export interface AddedPackage {
  readonly record: PackageRecord;
  /** `known` where the channel had the very same package already. */
  readonly outcome: 'added' | 'known';
}

/**
 * Verifies each package whole and takes it in; what is published stays as it was until the next `publish`.
 * All packages are taken in or none is.
 * @throws IcepkgError `package-corrupt`, or `usage` where the repository has another package of the same version, or
 * an older one is refused
 */
export async function addPackages(
  repository: string,
  files: readonly string[],
  options: AddPackagesOptions = {},
): Promise<readonly AddedPackage[]> {
  return withChannel(repository, options, ({ channel, pool, served, wanted }) => {
    const incoming = files.map((file) => ({ file, checked: check(file, options.trustedKeys) }));
    for (const one of incoming) takeRecord(pool, one);
    if (options.refuseOlder === true)
      for (const { checked } of incoming) checkNotOlder(checked, { channel, wanted });
    const folders = new Set<string>();
    for (const one of incoming)
      for (const copied of copyIn(repository, { ...one, pool })) folders.add(dirname(copied));
    for (const folder of folders) syncFolder(folder);
    const paths = incoming.map(({ checked }) => checked.path);
    stage(pool, { channel, served }, { add: paths, remove: [] });
    // The pool comes last: a package that it names is there, whole.
    writePool(repository, pool);
    const after = withStage(pool, channel, served);
    return paths.flatMap((path): AddedPackage[] => {
      const record = after.get(path);
      return record === undefined ? [] : [{ record, outcome: wanted.has(path) ? 'known' : 'added' }];
    });
  });
}
export interface RemovePackagesOptions extends LockOptions {
  readonly channel?: string;
}

/**
 * Takes packages out of a channel by `NAME` or `NAME-VERSION-rN`; their files stay for older snapshots.
 * @throws IcepkgError `not-found` where the channel has none of that name
 */
export async function removePackages(
  repository: string,
  names: readonly string[],
  options: RemovePackagesOptions = {},
): Promise<readonly PackageRecord[]> {
  return withChannel(repository, options, ({ channel, pool, served, wanted }) => {
    const removed = new Map<string, PackageRecord>();
    for (const name of names) {
      const found = [...wanted].filter(
        ([, record]) => record.name === name || `${record.name}-${record.version}` === name,
      );
      if (found.length === 0) {
        throw new IcepkgError('not-found', `the channel ${channel} has no package ${name}`, {
          hint: 'Give NAME or NAME-VERSION-rN as icepkg repo status lists it',
        });
      }
      for (const [path, record] of found) removed.set(path, record);
    }
    stage(pool, { channel, served }, { add: [], remove: [...removed.keys()] });
    writePool(repository, pool);
    return [...removed.values()];
  });
}

/** One that the channel has is no step back. @throws IcepkgError `usage` */
function checkNotOlder(
  { path, record: { name, arch, version } }: Checked,
  { channel, wanted }: Pick<OpenChannel, 'channel' | 'wanted'>,
): void {
  if (wanted.has(path)) return;
  const newer = [...wanted.values()].find(
    (of) => of.name === name && of.arch === arch && byVersion(of.version, version) > 0,
  );
  if (newer === undefined) return;
  throw new IcepkgError('usage', `${basename(path)} is older than ${newer.version}, which ${channel} has`, {
    hint: 'Raise its version, or let the operator add it',
  });
}

type Content = Pick<VerifiedPackage, 'size' | 'sha256'>;

/** What is kept of a package that was verified: thousands may come at once. */
interface Checked extends Content {
  /** Where it belongs in the repository. */
  readonly path: string;
  readonly record: PackageRecord;
  readonly documents: readonly FoundDocument[];
}

interface Incoming {
  readonly file: string;
  readonly checked: Checked;
}

/** What was published under a path never changes; documents are taken once. @throws IcepkgError `usage` */
function takeRecord(pool: Pool, { file, checked }: Incoming): void {
  const { path, sha256, documents } = checked;
  const known = pool.records.get(path) ?? checked.record;
  if (known.package.sha256 !== sha256 || (pool.retired.get(path) ?? sha256) !== sha256)
    throw differs(file, path);
  pool.retired.delete(path);
  const takes = known.documents === undefined && documents.length > 0;
  pool.records.set(path, takes ? { ...known, documents: documents.map(({ record }) => record) } : known);
}

/** Copies the package, and those documents beside it that the pool names; returns what was written. */
function copyIn(repository: string, { file, checked, pool }: Incoming & { readonly pool: Pool }): string[] {
  const named = pool.records.get(checked.path)?.documents ?? [];
  const documents = checked.documents.filter(({ record }) =>
    named.some(({ sha256 }) => sha256 === record.sha256),
  );
  const files = [
    { from: file, path: checked.path, content: checked },
    ...documents.map((of) => ({ from: of.file, path: of.record.path, content: of.record })),
  ];
  return files.flatMap(({ from, path, content }) => {
    const target = join(repository, path);
    if (isSame(target, content)) return [];
    copyWhole(from, target, content);
    return [target];
  });
}

function check(file: string, trustedKeys: readonly PublicKey[] | undefined): Checked {
  const { header, size, sha256 } = verifyPackage(file);
  const { manifest, manifestBytes, signatures } = header;
  if (trustedKeys !== undefined && verifyManifest(manifestBytes, signatures, trustedKeys).length === 0) {
    throw new IcepkgError('package-unsigned', `${file}: none of the trusted keys signed it`, {
      hint: 'Sign it when packing, with --key, or name the key that did with --trust',
    });
  }
  const path = `packages/${manifest.arch}/${packageFileName(manifest)}`;
  const record = recordOf(header, { path, size, sha256 });
  return { path, size, sha256, record, documents: documentsBeside(file, { path, sha256, trustedKeys }) };
}

function differs(file: string, path: string): IcepkgError {
  return new IcepkgError('usage', `${file}: the repository has another package as ${path}`, {
    hint: 'Raise the release in the recipe: what was published under a version never changes',
  });
}

/** True where the very package is in place already; a damaged one is replaced. */
function isSame(target: string, checked: Content): boolean {
  try {
    return fs.statSync(target).size === checked.size && hashFile(target).sha256 === checked.sha256;
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
      if (hashFile(aside).sha256 !== checked.sha256) {
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

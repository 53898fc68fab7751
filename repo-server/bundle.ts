/**
 * Bundles carry a repository to where no network leads: a tar of its files, perhaps without those that were carried before.
 * Nothing in a bundle is believed: it is read like any mirror, with the whole chain verified.
 */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { folderTransport } from '#engine/client/folder';
import type { Transport } from '#engine/client/transport';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { IcepkgError, isErrno } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { patchListPath } from '#schema/patch/format';
import { comparePaths, isSafePath } from '#schema/path';
import { readRepositoryConfig } from './config.ts';
import { withHint, type Hints } from './hint.ts';
import { doing, makeFolder, metadataFolder, PRIVATE_FOLDER, readIfAny, writeDurably } from './layout.ts';
import { withLock } from './lock.ts';
import { readChannel } from './metadata.ts';
import { mirroredPackages, mirroredShards, type MirrorSettings } from './mirror-settings.ts';
import { mirrorRepository, type Mirrored, type MirrorOptions } from './mirror.ts';
import { carriedIndexes } from './older-snapshots.ts';
import { listedPatches } from './patches/patch-files.ts';
import { filesOf, recordsNamedBy, shardFileOf, type IndexTargets } from './served.ts';

/** Tells in the bundle what was copied into it. */
const CONTENTS = `${PRIVATE_FOLDER}/bundle.json`;
const IN_BUNDLE = /^(?:(?:packages|targets|channels)\/|\.icepkg\/bundle\.json$)/;
const ContentsSchema = v.strictObject({
  format: v.literal(1),
  channels: v.array(v.string()),
  arches: v.optional(v.array(v.picklist(['x86_64', 'aarch64']))),
  packages: v.optional(v.array(v.string())),
  closure: v.optional(v.boolean()),
  patches: v.optional(v.boolean()),
  snapshots: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
});

export type BundleFilter = Omit<MirrorSettings, 'format' | 'from'>;

export interface Exported {
  readonly file: string;
  readonly files: number;
  /** Files that the list named already. */
  readonly left: number;
  readonly bytes: number;
}

/**
 * Writes a bundle of what the channels serve now, and of the snapshots before that are whole here.
 * @param list a file that names what the receiver has; what is sent now is added to it once the bundle is whole
 * @throws IcepkgError `not-found` where something is missing, `disk-full`, `io-failed`
 */
export async function exportBundle(
  repository: string,
  file: string,
  { list, ...filter }: BundleFilter & { readonly list?: string },
): Promise<Exported> {
  readRepositoryConfig(repository);
  return withLock(repository, async () => {
    const sent = new Set(readList(list));
    const wanted = filter.channels.flatMap((channel) => filesOfChannel(repository, channel, filter));
    const files = [...new Set(wanted)].sort(comparePaths);
    const fresh = files.filter((path) => !sent.has(path));
    checkPresent(repository, fresh);
    writeDurably(join(repository, CONTENTS), canonicalJson({ format: 1, ...filter }));
    const { create } = await import('tar');
    const aside = `${file}.part`;
    try {
      doing(file, () => {
        makeFolder(dirname(file));
        fs.writeFileSync(aside, '');
      });
      await create({ file: aside, cwd: repository, portable: true, noDirRecurse: true, strict: true }, [
        CONTENTS,
        ...fresh,
      ]);
      doing(file, () => fs.renameSync(aside, file));
    } catch (cause) {
      throw isErrno(cause, 'ENOSPC', 'EDQUOT') ? noSpace(file, cause) : cause;
    } finally {
      fs.rmSync(aside, { force: true });
      fs.rmSync(join(repository, CONTENTS), { force: true });
    }
    const lasting = files.filter((path) => !/\/(?:timestamp|root)\.json$/.test(path));
    if (list !== undefined)
      writeDurably(
        list,
        Buffer.from([...new Set([...sent, ...lasting])].map((path) => `${path}\n`).join('')),
      );
    return { file, files: fresh.length, left: files.length - fresh.length, bytes: fs.statSync(file).size };
  });
}

function checkPresent(repository: string, paths: readonly string[]): void {
  const missing = paths.find((path) => !fs.existsSync(join(repository, path)));
  if (missing === undefined) return;
  throw new IcepkgError('not-found', `${join(repository, missing)} is missing`, {
    hint: `See what else is, and bring it back: icepkg repo verify ${repository}`,
  });
}

function readList(list: string | undefined): string[] {
  const bytes = list === undefined ? undefined : readIfAny(list);
  return bytes === undefined ? [] : Buffer.from(bytes).toString('utf8').split('\n').filter(Boolean);
}

function filesOfChannel(repository: string, channel: string, filter: BundleFilter): string[] {
  const { root, timestamp, snapshot, targets } = readChannel(repository, channel);
  if (timestamp === undefined || snapshot === undefined || targets === undefined) {
    throw new IcepkgError('not-found', `the channel ${channel} was never published`, {
      hint: 'Publish it first: icepkg repo publish',
    });
  }
  const folder = metadataFolder(channel);
  const settings = { format: 1, from: '', ...filter } as const;
  const packages = packagesIn(repository, targets.signed.targets, settings);
  const older = carriedIndexes(repository, channel, { targets: targets.signed, settings });
  return [
    ...Array.from({ length: root.signed.version }, (_, index) => `${folder}/${index + 1}.root.json`),
    `${folder}/${targets.signed.version}.targets.json`,
    `${folder}/${snapshot.signed.version}.snapshot.json`,
    `${folder}/timestamp.json`,
    ...shardFiles(targets.signed.targets, settings),
    ...filesOfAll(packages),
    ...(filter.patches === false ? [] : packages.flatMap((record) => patchFiles(repository, record))),
    ...older.flatMap(({ path, targets: index }) => filesOfOlder(repository, { path, index, settings })),
  ];
}

interface OlderIndex {
  /** Of its targets file. */
  readonly path: string;
  readonly index: IndexTargets;
  readonly settings: MirrorSettings;
}

/** None of it where something is missing: a receiver takes it whole or not at all. */
function filesOfOlder(repository: string, { path, index, settings }: OlderIndex): string[] {
  const isHere = (file: string): boolean => fs.existsSync(join(repository, file));
  const shards = shardFiles(index, settings);
  if (!shards.every(isHere)) return [];
  const files = filesOfAll(packagesIn(repository, index, settings));
  return files.every(isHere) ? [path, ...shards, ...files] : [];
}

const shardFiles = (index: IndexTargets, settings: MirrorSettings): string[] =>
  Object.entries(mirroredShards(index, settings)).map(([path, target]) => shardFileOf(path, target));

const packagesIn = (
  repository: string,
  index: IndexTargets,
  settings: MirrorSettings,
): readonly PackageRecord[] =>
  mirroredPackages([...recordsNamedBy(repository, mirroredShards(index, settings)).values()], settings);

const filesOfAll = (packages: readonly PackageRecord[]): string[] =>
  packages.flatMap((record) => filesOf(record).map(({ path }) => path));

function patchFiles(repository: string, record: PackageRecord): string[] {
  const patches = listedPatches(repository, record).map(({ path }) => path);
  return patches.length === 0 ? [] : [...patches, patchListPath(record.package.path)];
}

/** Brings a mirror to the state that a bundle holds. @throws IcepkgError as `mirrorRepository` does, `format-invalid` */
export async function importBundle(
  folder: string,
  file: string,
  options: Omit<MirrorOptions, 'settings' | 'transport'>,
): Promise<Mirrored> {
  const aside = join(folder, PRIVATE_FOLDER, `bundle-${process.pid}`);
  try {
    await unpack(file, aside);
    const bytes = readIfAny(join(aside, CONTENTS));
    if (bytes === undefined) throw noBundle(file);
    const contents = decode(ContentsSchema, parseJson(bytes, file), file);
    const settings: MirrorSettings = { ...contents, from: 'bundle' };
    const transport = firstOf(folderTransport(aside), folderTransport(folder));
    return await mirrorRepository(folder, { ...options, settings, transport });
  } catch (error) {
    throw withHint(error, HINTS);
  } finally {
    fs.rmSync(aside, { recursive: true, force: true });
  }
}

const HINTS: Hints = {
  'network-failed':
    'The bundle leaves out what others carried that were not imported here: import those first, or export one without --list',
  'package-corrupt': 'The bundle is damaged: carry it again, or export another one',
  'trust-rollback':
    'The bundle was made before what this copy has: leave it, or carry a newer one (icepkg repo bundle export)',
};

async function unpack(file: string, folder: string): Promise<void> {
  doing(folder, () => makeFolder(folder));
  const { extract } = await import('tar');
  let strange = false;
  const belongs = (path: string, isFile: boolean): boolean => {
    const good = isFile && isSafePath(path) && IN_BUNDLE.test(path);
    strange ||= !good;
    return good;
  };
  try {
    await extract({
      file,
      cwd: folder,
      strict: true,
      // Not every Node.js unpacks it, and tar then ends the process.
      zstd: false,
      noChmod: true,
      filter: (path, entry) => belongs(path, 'type' in entry ? entry.type === 'File' : entry.isFile()),
    });
  } catch (cause) {
    if (isErrno(cause, 'ENOENT'))
      throw new IcepkgError('not-found', `${file} does not exist`, { hint: 'Name the bundle', cause });
    if (isErrno(cause, 'ENOSPC', 'EDQUOT')) throw noSpace(folder, cause);
    throw noBundle(file, cause);
  }
  if (strange) throw noBundle(file);
}

const noSpace = (path: string, cause: unknown): IcepkgError =>
  new IcepkgError('disk-full', `${path}: no space left`, { hint: 'Free some space', cause });

const noBundle = (file: string, cause?: unknown): IcepkgError =>
  new IcepkgError('format-invalid', `${file} is no bundle, or is damaged`, {
    hint: 'Make it with: icepkg repo bundle export',
    ...(cause === undefined ? {} : { cause }),
  });

/** Files that were carried before are in the mirror already. */
const firstOf = (one: Transport, other: Transport): Transport => ({
  addressOf: (path) => one.addressOf(path),
  get: async (path, request) => (await one.get(path, request)) ?? other.get(path, request),
  close: () => {
    one.close();
    other.close();
  },
});

/**
 * Publishing: index shards, then targets, snapshot and timestamp over them. Every file but the last is new, by
 * its version or digest, so nobody reads it before `timestamp.json` is renamed into place and names it: at every
 * instant, and after a kill or a power cut at any of them, a client sees the whole old repository or the whole new one.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { IcepkgError } from '#schema/error';
import type { PrivateKey } from '#schema/keys';
import type { Root, SignedMetadata, TargetFile } from '#schema/tuf/metadata';
import { readRepositoryConfig, type ExpiryDays } from './config.ts';
import { DEFAULT_CHANNEL, metadataFolder, readIfAny, writeDurably } from './layout.ts';
import { withLock } from './lock.ts';
import {
  expiryAfter,
  isSignedFor,
  metaOf,
  readChannel,
  signAs,
  SPEC_VERSION,
  type ChannelMetadata,
} from './metadata.ts';
import { readPool, recordsIn } from './pool.ts';
import { rootsToTake } from './roots.ts';
import { cutShards, INDEXED_ARCHES, type Shard } from './shards.ts';

export interface PublishOptions {
  readonly channel?: string;
  /** Private keys of the roles targets, snapshot and timestamp. */
  readonly keys: readonly PrivateKey[];
  /** Said in the signed targets of this publish. */
  readonly message?: string;
  readonly now?: Date;
  /** Called before each file is written, with its path in the repository. */
  readonly onWrite?: (path: string) => void;
}

export interface Published {
  readonly channel: string;
  /** False where the packages are those of the last publish and only lifetimes were renewed. */
  readonly changed: boolean;
  readonly packages: number;
  /** Version of each role after this publish. */
  readonly versions: { readonly targets: number; readonly snapshot: number; readonly timestamp: number };
  /** Paths that were written, in order. */
  readonly written: readonly string[];
  /** Until when clients accept it without another publish. */
  readonly expires: string;
}

/** @throws IcepkgError `usage` where keys do not reach a role's threshold, `root-locked`, `trust-expired` */
export async function publish(repository: string, options: PublishOptions): Promise<Published> {
  const { channel = DEFAULT_CHANNEL } = options;
  const folder = metadataFolder(channel);
  const { expiryDays } = readRepositoryConfig(repository);
  return withLock(repository, () => {
    const writer = new Writer(repository, options.onWrite);
    const now = options.now ?? new Date();
    const metadata = readChannel(repository, channel, DEFAULT_CHANNEL);
    checkRoot(metadata.root.signed, now, repository);
    return publishChannel({ ...options, repository, channel, folder, expiryDays, now, metadata, writer });
  });
}

interface Publishing extends PublishOptions {
  readonly repository: string;
  readonly channel: string;
  readonly folder: string;
  readonly expiryDays: ExpiryDays;
  readonly now: Date;
  readonly metadata: ChannelMetadata;
  readonly writer: Writer;
}

async function publishChannel(of: Publishing): Promise<Published> {
  const { repository, folder, metadata, writer, now, expiryDays, keys, message } = of;
  const root = metadata.root.signed;
  const records = recordsIn(readPool(repository), of.channel);
  for (const { package: at, documents = [] } of records)
    for (const { path } of [at, ...documents]) checkPresent(repository, path);
  const previous = metadata.targets?.signed.targets ?? {};
  const shards: Shard[] = [];
  for (const arch of INDEXED_ARCHES)
    shards.push(...(await cutShards(arch, records, countOf(previous, arch))));

  const targets = Object.fromEntries(shards.map((shard) => [shard.path, targetOf(shard)]));
  const changed = metadata.targets === undefined || fingerprint(targets) !== fingerprint(previous);
  const expires = (role: keyof ExpiryDays): string => expiryAfter(now, expiryDays[role]);
  const next = (role: SignedMetadata<{ version: number }> | undefined): number =>
    (role?.signed.version ?? 0) + 1;

  // Everything is signed before anything is written, so that a missing key leaves the repository as it is.
  const files: { readonly path: string; readonly bytes: Uint8Array }[] = [];
  let targetsMeta = metadata.snapshot?.signed.meta['targets.json'];
  let targetsVersion = metadata.targets?.signed.version ?? 0;
  const newTargets = changed || needsRenewal(of, 'targets', metadata.targets);
  if (newTargets || targetsMeta === undefined) {
    targetsVersion = next(metadata.targets);
    const signed = {
      _type: 'targets',
      spec_version: SPEC_VERSION,
      version: targetsVersion,
      expires: expires('targets'),
      targets,
      channel: of.channel,
      ...(message === undefined ? {} : { message }),
    };
    const bytes = signAs({ root, role: 'targets', keys }, signed);
    targetsMeta = metaOf(targetsVersion, bytes);
    files.push({ path: `${folder}/${targetsVersion}.targets.json`, bytes });
  }
  let snapshotMeta = metadata.timestamp?.signed.meta['snapshot.json'];
  let snapshotVersion = metadata.snapshot?.signed.version ?? 0;
  if (files.length > 0 || snapshotMeta === undefined || needsRenewal(of, 'snapshot', metadata.snapshot)) {
    snapshotVersion = next(metadata.snapshot);
    const signed = {
      _type: 'snapshot',
      spec_version: SPEC_VERSION,
      version: snapshotVersion,
      expires: expires('snapshot'),
      meta: { 'targets.json': targetsMeta },
      channel: of.channel,
    };
    const bytes = signAs({ root, role: 'snapshot', keys }, signed);
    snapshotMeta = metaOf(snapshotVersion, bytes);
    files.push({ path: `${folder}/${snapshotVersion}.snapshot.json`, bytes });
  }
  const timestampVersion = next(metadata.timestamp);
  const timestamp = {
    _type: 'timestamp',
    spec_version: SPEC_VERSION,
    version: timestampVersion,
    expires: expires('timestamp'),
    meta: { 'snapshot.json': snapshotMeta },
    channel: of.channel,
  };
  for (const [path, bytes] of rootsToTake(repository, of.channel)) files.push({ path, bytes });
  files.push({
    path: `${folder}/timestamp.json`,
    bytes: signAs({ root, role: 'timestamp', keys }, timestamp),
  });

  for (const shard of shards) writer.writeNew(shardFile(shard), shard.bytes);
  for (const { path, bytes } of files) writer.write(path, bytes);
  return {
    channel: of.channel,
    changed,
    packages: records.length,
    versions: { targets: targetsVersion, snapshot: snapshotVersion, timestamp: timestampVersion },
    written: writer.written,
    expires: timestamp.expires,
  };
}

/** `targets/index/ARCH/SHA256.NN.json.zst`: consistent snapshots put the digest before the file name. */
const shardFile = ({ path, sha256 }: Shard): string => `targets/${dirname(path)}/${sha256}.${basename(path)}`;

const targetOf = (shard: Shard): TargetFile => ({
  length: shard.bytes.length,
  hashes: { sha256: shard.sha256 },
  custom: { arch: shard.arch, packages: shard.packages, shards: shard.of },
});

/** Into how many shards the last index of an architecture was cut. */
function countOf(targets: Readonly<Record<string, TargetFile>>, arch: string): number {
  const first = Object.entries(targets).find(([path]) => path.startsWith(`index/${arch}/`))?.[1];
  const count = first?.custom?.['shards'];
  return typeof count === 'number' && Number.isSafeInteger(count) ? count : 1;
}

const fingerprint = (targets: Readonly<Record<string, TargetFile>>): string =>
  Object.entries(targets)
    .map(([path, { length, hashes }]) => `${path} ${length} ${hashes['sha256'] ?? ''}`)
    .sort()
    .join('\n');

/** True where the keys of the role changed, or less than half of its lifetime is left. */
function needsRenewal(
  of: Publishing,
  role: 'targets' | 'snapshot',
  metadata: SignedMetadata<{ readonly expires: string }> | undefined,
): boolean {
  if (metadata === undefined || !isSignedFor(of.metadata.root.signed, role, metadata)) return true;
  const left = Date.parse(metadata.signed.expires) - of.now.getTime();
  return left < (of.expiryDays[role] * 86_400_000) / 2;
}

function checkRoot(root: Root, now: Date, repository: string): void {
  if (Date.parse(root.expires) > now.getTime()) return;
  throw new IcepkgError('trust-expired', `the root of ${repository} expired at ${root.expires}`, {
    hint: 'Sign a new one with: icepkg repo rotate',
  });
}

function checkPresent(repository: string, path: string): void {
  if (existsSync(join(repository, path))) return;
  throw new IcepkgError('not-found', `${join(repository, path)} is missing`, {
    hint: `Add the package again, or take it out with icepkg repo remove`,
  });
}

class Writer {
  readonly repository: string;
  readonly written: string[] = [];
  readonly #onWrite: (path: string) => void;

  constructor(repository: string, onWrite: (path: string) => void = () => undefined) {
    this.repository = repository;
    this.#onWrite = onWrite;
  }

  write(path: string, bytes: Uint8Array): void {
    this.#onWrite(path);
    writeDurably(join(this.repository, path), bytes);
    this.written.push(path);
  }

  /** Leaves a file that is named by its digest and whole as it is. */
  writeNew(path: string, bytes: Uint8Array): void {
    const there = readIfAny(join(this.repository, path));
    if (there === undefined || Buffer.compare(there, bytes) !== 0) this.write(path, bytes);
  }
}

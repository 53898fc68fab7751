/**
 * Publishing: index shards, the snapshot that names them, then targets, snapshot and timestamp over them. Every file
 * but the last is new, by its version or digest, so nobody reads it before `timestamp.json` is renamed into place and
 * names it: at every instant, and after a kill or a power cut at any of them, a client sees the whole old repository
 * or the whole new one.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import { withChannel, type ChangeOptions, type OpenChannel } from './change-channel.ts';
import {
  DEFAULT_PATCHED_VERSIONS,
  publishPatches,
  type PublishedPatches,
} from './patches/publish-patches.ts';
import { writePool } from './pool.ts';
import { filesOf, shardFileOf, type IndexTargets } from './served.ts';
import { cutShards, INDEXED_ARCHES, type Shard } from './shards.ts';
import { signChannel, type SignedChannel } from './sign-channel.ts';
import { encodeSnapshot, nextNumber, snapshotFile, type SnapshotDocument } from './snapshots.ts';
import { announce } from './webhooks/outbox.ts';

export interface PublishOptions extends ChangeOptions {
  /** From how many versions back patches are made, instead of what `repository.json` says. */
  readonly patches?: number;
}

export interface Published {
  readonly channel: string;
  /** Number of the snapshot that the channel serves now. */
  readonly snapshot: number | undefined;
  /** False where the packages are those of the last publish and only lifetimes were renewed. */
  readonly changed: boolean;
  readonly packages: number;
  /** Version of each role after this publish. */
  readonly versions: SignedChannel['versions'];
  /** Paths that were written, in order. */
  readonly written: readonly string[];
  /** Until when clients accept it without another publish. */
  readonly expires: string;
  readonly patches: PublishedPatches;
}

/**
 * Makes a snapshot of what a channel serves with what is staged for it, and lets the channel serve it.
 * @throws IcepkgError `usage` where keys do not reach a role's threshold, `root-locked`, `trust-expired`
 */
export async function publish(repository: string, options: PublishOptions): Promise<Published> {
  return withChannel(repository, options, async (open) => {
    const index = await cutIndex(open);
    const changed = open.metadata.targets === undefined || !sameTargets(index.targets, open.targets);
    const made = changed ? snapshotOf(open, { index, message: options.message }) : undefined;
    const signed = signChannel({
      ...open,
      expiryDays: open.config.expiryDays,
      keys: options.keys,
      message: options.message,
      targets: index.targets,
      snapshot: made?.number ?? open.number,
      changed,
    });
    const versions = options.patches ?? open.config.patches?.versions ?? DEFAULT_PATCHED_VERSIONS;
    const patches = await publishPatches(open, versions);
    if (made !== undefined) writeSnapshot(open, index, made);
    for (const file of signed.files) open.writer.write(file);
    clearStage(open);
    if (made !== undefined) announcePublish(open, made);
    return {
      channel: open.channel,
      snapshot: made?.number ?? open.number,
      changed,
      packages: open.wanted.size,
      versions: signed.versions,
      written: open.writer.written,
      expires: signed.expires,
      patches,
    };
  });
}

function announcePublish(
  { repository, channel, number: previous }: OpenChannel,
  { number: snapshot, packages, message }: SnapshotDocument,
): void {
  announce(repository, { type: 'publish', channel, data: { snapshot, previous, packages, message } });
}

export interface SnapshotOptions extends Omit<ChangeOptions, 'keys'> {
  readonly message?: string;
}

/** Makes a snapshot without letting any channel serve it; it takes no key. */
export async function takeSnapshot(
  repository: string,
  options: SnapshotOptions = {},
): Promise<{ readonly number: number; readonly packages: number }> {
  return withChannel(repository, options, async (open) => {
    const index = await cutIndex(open);
    const made = snapshotOf(open, { index, message: options.message });
    writeSnapshot(open, index, made);
    return { number: made.number, packages: open.wanted.size };
  });
}

interface CutIndex {
  readonly shards: readonly Shard[];
  readonly targets: IndexTargets;
}

/** @throws IcepkgError `not-found` where a package or document of it is missing */
async function cutIndex({ repository, wanted, shards: served }: OpenChannel): Promise<CutIndex> {
  for (const record of wanted.values())
    for (const { path } of filesOf(record)) checkPresent(repository, path);
  const shards: Shard[] = [];
  for (const arch of INDEXED_ARCHES) {
    const own = served.filter(({ path }) => path.startsWith(`index/${arch}/`));
    shards.push(...(await cutShards(arch, own, wanted)));
  }
  return { shards, targets: Object.fromEntries(shards.map(({ path, target }) => [path, target])) };
}

function snapshotOf(
  { repository, channel, now, wanted }: OpenChannel,
  { index, message }: { readonly index: CutIndex; readonly message: string | undefined },
): SnapshotDocument {
  return {
    format: 1,
    number: nextNumber(repository),
    created: now.toISOString(),
    channel,
    ...(message === undefined ? {} : { message }),
    packages: wanted.size,
    targets: { ...index.targets },
  };
}

/** The shards first: a snapshot that is there can be served. */
function writeSnapshot({ writer }: OpenChannel, { shards }: CutIndex, snapshot: SnapshotDocument): void {
  for (const { path, target, bytes } of shards)
    if (bytes !== undefined) writer.writeNew({ path: shardFileOf(path, target), bytes });
  writer.write({ path: snapshotFile(snapshot.number), bytes: encodeSnapshot(snapshot) });
}

/** After the channel serves what was staged, or something else instead of it. */
export function clearStage({ repository, channel, pool }: OpenChannel): void {
  if (pool.staged.delete(channel)) writePool(repository, pool);
}

export function sameTargets(one: IndexTargets, other: IndexTargets): boolean {
  const text = (targets: IndexTargets): string =>
    Object.entries(targets)
      .map(([path, { length, hashes }]) => `${path} ${length} ${hashes['sha256'] ?? ''}`)
      .sort()
      .join('\n');
  return text(one) === text(other);
}

function checkPresent(repository: string, path: string): void {
  if (existsSync(join(repository, path))) return;
  throw new IcepkgError('not-found', `${join(repository, path)} is missing`, {
    hint: `Add the package again, or take it out with icepkg repo remove`,
  });
}

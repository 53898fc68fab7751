/** Signs the metadata by which a channel serves a snapshot. Nothing is written here. */
import { IcepkgError } from '#schema/error';
import type { PrivateKey } from '#schema/keys';
import type { Root, SignedMetadata } from '#schema/tuf/metadata';
import type { ExpiryDays } from './config.ts';
import { metadataFolder } from './layout.ts';
import { expiryAfter, isSignedFor, metaOf, signAs, SPEC_VERSION, type ChannelMetadata } from './metadata.ts';
import { rootsToTake } from './roots.ts';
import type { IndexTargets } from './served.ts';
import { historyToSign } from './snapshots.ts';
import type { FileToWrite } from './writer.ts';

export interface ChannelToSign {
  readonly repository: string;
  readonly channel: string;
  /** What the channel has until now. */
  readonly metadata: ChannelMetadata;
  readonly expiryDays: ExpiryDays;
  readonly now: Date;
  readonly keys: readonly PrivateKey[];
  readonly message: string | undefined;
  readonly targets: IndexTargets;
  /** Number of the snapshot; absent where the channel was published before there were numbers. */
  readonly snapshot: number | undefined;
  /** The channel is to serve something else than until now. */
  readonly changed: boolean;
  /** New targets and snapshots get greater versions than this. */
  readonly beyond?: number;
}

export interface SignedChannel {
  /** In the order in which they must be written: the last one makes the others seen. */
  readonly files: readonly FileToWrite[];
  readonly versions: { readonly targets: number; readonly snapshot: number; readonly timestamp: number };
  readonly expires: string;
}

/** @throws IcepkgError `usage` where keys do not reach a role's threshold, `trust-expired` where the root may not sign any more */
export function signChannel(of: ChannelToSign): SignedChannel {
  const { metadata, keys } = of;
  const root = metadata.root.signed;
  checkRoot(root, of.now, of.repository);
  const folder = metadataFolder(of.channel);
  const files: FileToWrite[] = [];
  const next = (role: SignedMetadata<{ version: number }> | undefined, beyond = 0): number =>
    Math.max(role?.signed.version ?? 0, beyond) + 1;
  const common = (role: 'targets' | 'snapshot' | 'timestamp', version: number) => ({
    _type: role,
    spec_version: SPEC_VERSION,
    version,
    expires: expiryAfter(of.now, of.expiryDays[role]),
    channel: of.channel,
  });

  let targetsMeta = metadata.snapshot?.signed.meta['targets.json'];
  let targetsVersion = metadata.targets?.signed.version ?? 0;
  if (of.changed || targetsMeta === undefined || needsRenewal(of, 'targets', metadata.targets)) {
    targetsVersion = next(metadata.targets, of.beyond);
    const bytes = signAs(
      { root, role: 'targets', keys },
      {
        ...common('targets', targetsVersion),
        targets: of.targets,
        ...(of.snapshot === undefined ? {} : { snapshot: of.snapshot }),
        history: historyToSign(of.repository, of.channel, {
          newest: metadata.targets?.signed.version ?? 0,
          serving: of.snapshot,
        }),
        ...(of.message === undefined ? {} : { message: of.message }),
      },
    );
    targetsMeta = metaOf(targetsVersion, bytes);
    files.push({ path: `${folder}/${targetsVersion}.targets.json`, bytes });
  }

  let snapshotMeta = metadata.timestamp?.signed.meta['snapshot.json'];
  let snapshotVersion = metadata.snapshot?.signed.version ?? 0;
  if (files.length > 0 || snapshotMeta === undefined || needsRenewal(of, 'snapshot', metadata.snapshot)) {
    snapshotVersion = next(metadata.snapshot, of.beyond);
    const bytes = signAs(
      { root, role: 'snapshot', keys },
      { ...common('snapshot', snapshotVersion), meta: { 'targets.json': targetsMeta } },
    );
    snapshotMeta = metaOf(snapshotVersion, bytes);
    files.push({ path: `${folder}/${snapshotVersion}.snapshot.json`, bytes });
  }

  const timestamp = {
    ...common('timestamp', next(metadata.timestamp)),
    meta: { 'snapshot.json': snapshotMeta },
  };
  for (const [path, bytes] of rootsToTake(of.repository, of.channel)) files.push({ path, bytes });
  files.push({
    path: `${folder}/timestamp.json`,
    bytes: signAs({ root, role: 'timestamp', keys }, timestamp),
  });
  const versions = { targets: targetsVersion, snapshot: snapshotVersion, timestamp: timestamp.version };
  return { files, versions, expires: timestamp.expires };
}

/** True where the keys of the role changed, or less than half of its lifetime is left. */
function needsRenewal(
  of: ChannelToSign,
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

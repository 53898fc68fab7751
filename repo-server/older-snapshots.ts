/** Snapshots that a channel served before and still vouches for, which a mirror may carry for roots that stay at one. */
import { join } from 'node:path';
import { historyIn, type NumberedTargets } from '#schema/tuf/history';
import { parseMetadata, type Targets } from '#schema/tuf/metadata';
import { metadataFolder, readIfAny } from './layout.ts';
import type { MirrorSettings } from './mirror-settings.ts';
import type { IndexTargets } from './served.ts';

export interface OlderSnapshot {
  readonly number: number;
  /** Path of its targets file, and what the channel says of that. */
  readonly path: string;
  readonly meta: NumberedTargets;
}

/** The newest ones, newest first. @throws IcepkgError `trust-failed` where the history cannot be read */
export function olderSnapshots(channel: string, targets: Targets, count: number): readonly OlderSnapshot[] {
  const folder = metadataFolder(channel);
  return Object.entries(historyIn(targets, `${folder}: history`))
    .map(([number, meta]) => ({
      number: Number(number),
      path: `${folder}/${meta.version}.targets.json`,
      meta,
    }))
    .sort((a, b) => b.number - a.number)
    .slice(0, count);
}

/** The indexes of those that a mirror carries, with the paths of their targets files. */
export function carriedIndexes(
  repository: string,
  channel: string,
  of: { readonly targets: Targets; readonly settings: MirrorSettings | undefined },
): readonly { readonly path: string; readonly targets: IndexTargets }[] {
  return olderSnapshots(channel, of.targets, of.settings?.snapshots ?? 0).flatMap(({ path }) => {
    // A mirror writes it once all that it names is there.
    const bytes = readIfAny(join(repository, path));
    return bytes === undefined
      ? []
      : [{ path, targets: parseMetadata(bytes, 'targets', path).signed.targets }];
  });
}

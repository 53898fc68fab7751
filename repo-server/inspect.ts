/** What stands between a repository as it is on disk and a repository that its clients can use. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { comparePaths } from '#schema/path';
import { readRepositoryConfig, ROLES } from './config.ts';
import { DEFAULT_CHANNEL, PRIVATE_FOLDER } from './layout.ts';
import { isSignedFor, readChannel, type ChannelMetadata } from './metadata.ts';
import { mirroredPackages, mirroredShards, readMirrorSettings } from './mirror-settings.ts';
import { readPool, withStage } from './pool.ts';
import { rootsToTake } from './roots.ts';
import { filesOf, readableRecords } from './served.ts';

export interface ChannelReport {
  /** File names of packages that the next publish offers. */
  readonly toAdd: readonly string[];
  /** File names of packages that the next publish takes away. */
  readonly toRemove: readonly string[];
  /** What keeps clients from using it, or soon will, each with the way out. */
  readonly problems: readonly string[];
}

const DAY = 86_400_000;

/** Compares what a channel holds with what was published, and looks every file up that clients will ask for. */
export function inspectChannel(repository: string, channel: string, now: Date = new Date()): ChannelReport {
  const { expiryDays } = readRepositoryConfig(repository);
  const metadata = readChannel(repository, channel, DEFAULT_CHANNEL);
  const problems = [...signatureProblems(repository, channel, metadata)];
  for (const role of ROLES) {
    const expires = metadata[role]?.signed.expires;
    if (expires === undefined) continue;
    const days = (Date.parse(expires) - now.getTime()) / DAY;
    const remedy = role === 'root' ? 'icepkg repo rotate' : 'icepkg repo publish';
    if (days <= 0) problems.push(`${role} expired at ${expires}: run ${remedy}`);
    else if (days < expiryDays[role] / 4)
      problems.push(`${role} expires in ${Math.ceil(days)} days: run ${remedy}`);
  }
  const mirror = readMirrorSettings(repository);
  const shards = mirroredShards(metadata.targets?.signed.targets ?? {}, mirror);
  const before = readableRecords(repository, shards, (problem) =>
    problems.push(`${problem.message}: restore it from a mirror or a backup`),
  );
  // A mirror's copy lacks what the next publish would know.
  const isCopy = !existsSync(join(repository, PRIVATE_FOLDER));
  const after = isCopy ? before : withStage(readPool(repository), channel, before);
  const here = mirroredPackages([...before.values(), ...after.values()], mirror ?? {});
  const named = here.flatMap((of) => filesOf(of).map(({ path }) => path));
  for (const path of new Set(named)) {
    if (!existsSync(join(repository, path))) {
      problems.push(`${path} is missing: add the package again, or take it out with icepkg repo remove`);
    }
  }
  const differing = (one: typeof before, other: typeof before): string[] =>
    [...one.values()]
      .filter((of) => other.get(of.package.path)?.package.sha256 !== of.package.sha256)
      .map((of) => basename(of.package.path))
      .sort(comparePaths);
  return { toAdd: differing(after, before), toRemove: differing(before, after), problems };
}

function* signatureProblems(
  repository: string,
  channel: string,
  metadata: ChannelMetadata,
): Generator<string> {
  if (metadata.timestamp === undefined) {
    yield 'nothing was published yet: run icepkg repo publish';
    return;
  }
  if (rootsToTake(repository, channel).length > 0) yield 'it lacks the newest root: run icepkg repo publish';
  for (const role of ROLES) {
    const signed = metadata[role];
    if (role === 'root' || signed === undefined || isSignedFor(metadata.root.signed, role, signed)) continue;
    yield `${role} is not signed by the keys that root ${metadata.root.signed.version} names: run icepkg repo publish`;
  }
}

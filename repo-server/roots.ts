/** The roots of a repository are those of its default channel; every other channel has copies of them. */
import { join } from 'node:path';
import { DEFAULT_CHANNEL, metadataFolder, readIfAny } from './layout.ts';

/** What a channel lacks of the roots, by path in the repository, in the order in which it must be written. */
export function rootsToTake(repository: string, channel: string): readonly (readonly [string, Uint8Array])[] {
  const from = metadataFolder(DEFAULT_CHANNEL);
  const to = metadataFolder(channel);
  const roots: (readonly [string, Uint8Array])[] = [];
  for (let version = 1; ; version++) {
    const bytes = readIfAny(join(repository, from, `${version}.root.json`));
    if (bytes === undefined) break;
    roots.push([`${to}/${version}.root.json`, bytes]);
  }
  const newest = roots.at(-1);
  if (newest !== undefined) roots.push([`${to}/root.json`, newest[1]]);
  return roots.filter(([path, bytes]) => {
    const there = readIfAny(join(repository, path));
    return there === undefined || Buffer.compare(there, bytes) !== 0;
  });
}

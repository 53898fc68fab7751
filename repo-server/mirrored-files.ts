/**
 * The files of a mirror by their digests: which are there as they are wanted, and which path is spoken for. A name never gets another
 * content, but whoever signs indexes may say otherwise.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import type { Targets } from '#schema/tuf/metadata';
import { hashFile } from './hash-file.ts';
import { channelsOf } from './layout.ts';
import { readChannel } from './metadata.ts';
import { readMirrorSettings } from './mirror-settings.ts';
import { carriedIndexes } from './older-snapshots.ts';
import { filesOf, readableRecords, readForeignShard, rememberingReader } from './served.ts';
import type { WantedFile } from './upstream.ts';

export class MirroredFiles {
  readonly #folder: string;
  /** Digests of what is there, by path. */
  readonly #known: Map<string, string>;
  /** Digests that this run has seen named, by path. */
  readonly #named = new Map<string, string>();

  /** @param folder of the mirror, as the last run left it */
  constructor(folder: string) {
    this.#folder = folder;
    this.#known = servedDigests(folder);
  }

  /** What is served already was checked as it came and appears only whole, so its size tells; anything else is read. */
  has({ path, size, sha256 }: WantedFile): boolean {
    const file = join(this.#folder, path);
    if (fs.statSync(file, { throwIfNoEntry: false })?.size !== size) return false;
    if (this.#known.get(path) === sha256) return true;
    if (hashFile(file).sha256 !== sha256) return false;
    this.#known.set(path, sha256);
    return true;
  }

  /** After a file has come. */
  note({ path, sha256 }: WantedFile): void {
    this.#known.set(path, sha256);
  }

  /** Before any of them comes. @throws IcepkgError `trust-failed` where one would replace what was named before it */
  claim(files: readonly WantedFile[]): void {
    for (const { path, sha256 } of files) {
      const before = this.#named.get(path) ?? sha256;
      this.#named.set(path, before);
      if (before === sha256) continue;
      throw new IcepkgError('trust-failed', `${path} is signed with two contents`, {
        hint: 'Tell the operator of the repository: a package never changes under its name',
      });
    }
  }
}

/** Of all that the mirror serves; the empty text where two indexes differ. */
function servedDigests(folder: string): Map<string, string> {
  const digests = new Map<string, string>();
  const settings = readMirrorSettings(folder);
  const read = rememberingReader(readForeignShard);
  for (const channel of channelsOf(folder)) {
    const targets = servedTargets(folder, channel);
    if (targets === undefined) continue;
    for (const index of [targets, ...carriedIndexes(folder, channel, { targets, settings })])
      for (const record of readableRecords(folder, index.targets, () => undefined, read).values())
        for (const { path, sha256 } of filesOf(record))
          digests.set(path, (digests.get(path) ?? sha256) === sha256 ? sha256 : '');
  }
  return digests;
}

/** `undefined` also where a run was interrupted before the channel was served, or something is damaged: then files are read. */
function servedTargets(folder: string, channel: string): Targets | undefined {
  try {
    return readChannel(folder, channel).targets?.signed;
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

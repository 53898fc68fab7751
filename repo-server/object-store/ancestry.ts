/**
 * Whether a folder came from what a store serves: only then may it replace that. The folder's own metadata tell, and notes of what it
 * brought there, since it collects metadata that it serves no more.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import { channelsOf, metadataFolder, PRIVATE_FOLDER, readIfAny, writeDurably } from '../layout.ts';
import type { ObjectStore } from './s3.ts';
import { readStoredEntry, type StoredEntry } from './stored-metadata.ts';

const BroughtSchema = v.strictObject({
  format: v.literal(1),
  /** Digests of snapshot metadata that the folder had and the store may serve, by channel. */
  channels: v.record(v.string(), v.array(v.string())),
});
type Brought = v.InferOutput<typeof BroughtSchema>['channels'];

/** A folder, and a store that it is published to. */
export interface Copies {
  readonly repository: string;
  readonly store: ObjectStore;
}

/** False where the folder is not known to have had the snapshot metadata that the store serves: then somebody else published there. */
export function descendsFrom(copies: Copies, channel: string, { snapshot }: StoredEntry): boolean {
  if (snapshot.sha256 === undefined) return false;
  const path = `${metadataFolder(channel)}/${snapshot.version}.snapshot.json`;
  const own = readIfAny(join(copies.repository, path));
  if (own !== undefined) return sha256(own) === snapshot.sha256;
  return readBrought(copies)[channel]?.includes(snapshot.sha256) === true;
}

/** Before the store comes to serve any of it. */
export function noteBrought(copies: Copies, brought: ReadonlyMap<string, readonly string[]>): void {
  const channels = { ...readBrought(copies), ...Object.fromEntries(brought) };
  writeDurably(notesOf(copies), canonicalJson({ format: 1, channels }));
}

/**
 * Before anything is signed that is to go there.
 * @param channel one that is about to be published, beside those that were
 * @throws IcepkgError `verify-failed` where the store serves what this folder never had, `network-failed`
 */
export async function checkDescent(copies: Copies, channel: string): Promise<void> {
  const { repository, store } = copies;
  const isServed = (of: string): boolean =>
    existsSync(join(repository, metadataFolder(of), 'timestamp.json'));
  for (const of of new Set([channel, ...channelsOf(repository).filter(isServed)])) {
    const entry = await readStoredEntry(store, of);
    if (entry !== undefined && !descendsFrom(copies, of, entry)) throw publishedElsewhere(store, of);
  }
}

export const publishedElsewhere = (
  store: ObjectStore,
  channel: string,
  why = 'serves what did not come from this repository',
): IcepkgError =>
  new IcepkgError(
    'verify-failed',
    `${store.addressOf(`${metadataFolder(channel)}/timestamp.json`)}: ${why}`,
    {
      hint: 'Somebody published there from another copy, or this one is older than it was: copy what is served into a new folder with icepkg repo mirror, add your packages there and publish from it',
    },
  );

const notesOf = ({ repository, store }: Copies): string =>
  join(repository, PRIVATE_FOLDER, `brought.${sha256(Buffer.from(store.addressOf(''))).slice(0, 16)}.json`);

function readBrought(copies: Copies): Brought {
  const file = notesOf(copies);
  const bytes = readIfAny(file);
  return bytes === undefined ? {} : decode(BroughtSchema, parseJson(bytes, file), file).channels;
}

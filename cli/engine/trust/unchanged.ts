/**
 * The short way of a refresh: where a mirror's timestamp is byte for byte the one that was trusted before, and all that
 * it names is at hand and still good, nothing is new. One request tells.
 *
 * The client workflow of The Update Framework asks for the next root before that (5.3). Whoever keeps a mirror from
 * handing that out could as well answer that there is none, until the timestamp expires; and a repository of ours signs a new
 * timestamp with every new root. So a change of roots is seen with the next timestamp, and no later than that expires.
 */
import { IcepkgError } from '#schema/error';
import { parseMetadata } from '#schema/tuf/metadata';
import { loadTrust } from './load-trust.ts';
import type { TrustStore } from './store.ts';
import { metaOf } from './trusted-metadata.ts';
import { MAX_BYTES, startTime, type MetadataFetcher, type TrustedRepository } from './updater.ts';

export interface UnchangedOptions {
  readonly store: TrustStore;
  readonly fetcher: MetadataFetcher;
  readonly now: Date;
}

/**
 * What is trusted, where nothing is new; `undefined` where the whole workflow has to tell.
 * @throws IcepkgError `network-failed`
 */
export async function unchangedTrust(options: UnchangedOptions): Promise<TrustedRepository | undefined> {
  const { store, fetcher, now } = options;
  store.begin();
  const timestamp = store.read('timestamp');
  const trusted = timestamp && wholeTrust(store, timestamp, now);
  if (timestamp === undefined || trusted === undefined) return undefined;
  const bytes = await fetcher.fetch('timestamp.json', MAX_BYTES.timestamp);
  if (bytes === undefined || Buffer.compare(bytes, timestamp) !== 0) return undefined;
  store.raiseClockFloor(startTime(store, now));
  return trusted;
}

/** What the store holds, unless a refresh was interrupted between timestamp and targets. */
function wholeTrust(store: TrustStore, bytes: Uint8Array, now: Date): TrustedRepository | undefined {
  try {
    const trusted = loadTrust(store, now);
    const timestamp = parseMetadata(bytes, 'timestamp', 'timestamp.json').signed;
    const { snapshot, targets } = trusted;
    const isNamed =
      snapshot.signed.version === timestamp.meta['snapshot.json'].version &&
      targets.version === metaOf(snapshot.signed, 'targets.json')?.version;
    return isNamed ? trusted : undefined;
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

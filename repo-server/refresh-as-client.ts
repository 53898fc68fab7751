/** Reads the metadata of a channel as a client does that knows a root only, and keeps nothing of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ofChannel } from '#engine/client/load-indexes';
import { getBytes, type Transport } from '#engine/client/transport';
import { openTrustStore } from '#engine/trust/store';
import { refreshTrust, type TrustedRepository } from '#engine/trust/updater';
import { IcepkgError } from '#schema/error';
import { metadataFolder } from './layout.ts';

const MOST_ROOT_BYTES = 512_000;

export interface ChannelToRead {
  readonly transport: Transport;
  readonly channel: string;
  readonly now: Date;
  /** Instead of the first root that is there. */
  readonly trustedRoot?: Uint8Array;
}

/** @throws IcepkgError `not-found` where there is no first root, `trust-…`, `network-failed` */
export async function refreshAsClient(of: ChannelToRead): Promise<TrustedRepository> {
  const { transport, channel, now } = of;
  const folder = metadataFolder(channel);
  const fetch = (name: string, limit: number): Promise<Uint8Array | undefined> =>
    getBytes(transport, `${folder}/${name}`, limit);
  const first = of.trustedRoot ?? (await fetch('1.root.json', MOST_ROOT_BYTES));
  if (first === undefined) throw new IcepkgError('not-found', `${folder}/1.root.json is missing`);
  const trust = mkdtempSync(join(tmpdir(), 'icepkg-verify-'));
  try {
    const store = openTrustStore(trust);
    store.anchor(first);
    const fetcher = { base: transport.addressOf(folder), fetch };
    return await refreshTrust({ store, now, fetcher, accept: ofChannel(channel) });
  } finally {
    rmSync(trust, { recursive: true, force: true });
  }
}

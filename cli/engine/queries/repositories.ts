/** The repositories of a root, and how far each is trusted; nobody is asked and nothing is written. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import { parseMetadata } from '#schema/tuf/metadata';
import { trustStoreOf } from '../client/load-indexes.ts';
import { loadRepositories, type RepositoryConfig } from '../config.ts';
import { loadTrust } from '../trust/load-trust.ts';
import type { TrustStore } from '../trust/store.ts';

export interface AttachedRepository {
  readonly name: string;
  readonly channel: string;
  /** Where the root stays at a snapshot of the channel. */
  readonly snapshot?: number | undefined;
  readonly mirrors: readonly string[];
  readonly enabled: boolean;
  readonly pinnedOnly: boolean;
  readonly trust: 'good' | 'expired' | 'never refreshed' | 'no trusted root' | 'broken';
  /** When a mirror was last found current, ISO 8601. */
  readonly refreshed: string | null;
  /** Until when what was fetched is good, ISO 8601. */
  readonly expires: string | null;
}

/** In order of preference, the disabled ones too. */
export function attachedRepositories(root: string, now: Date): readonly AttachedRepository[] {
  return loadRepositories(root).map((repository) => {
    const { name, channel, snapshot, mirrors, enabled, pinnedOnly } = repository;
    const store = trustStoreOf(root, repository);
    const floor = store.clockFloor().getTime();
    return {
      name,
      channel,
      snapshot,
      mirrors,
      enabled,
      pinnedOnly,
      trust: trustState(root, repository, store, now),
      refreshed: floor === 0 ? null : new Date(floor).toISOString(),
      expires: firstExpiry(store),
    };
  });
}

function trustState(
  root: string,
  repository: RepositoryConfig,
  store: TrustStore,
  now: Date,
): AttachedRepository['trust'] {
  if (!existsSync(join(root, repository.trust))) return 'no trusted root';
  try {
    loadTrust(store, now);
    return 'good';
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    if (error.code === 'offline-missing') return 'never refreshed';
    return error.code === 'trust-expired' ? 'expired' : 'broken';
  }
}

/** The first of the four roles that runs out ends the use of all. */
function firstExpiry(store: TrustStore): string | null {
  const times = (['root', 'timestamp', 'snapshot', 'targets'] as const).flatMap((role) => {
    const bytes = store.read(role);
    return bytes === undefined ? [] : [expiryOf(bytes, role)];
  });
  return times.length < 4 ? null : (times.toSorted()[0] ?? null);
}

/** A file that cannot be read counts as run out. */
function expiryOf(bytes: Uint8Array, role: 'root' | 'timestamp' | 'snapshot' | 'targets'): string {
  try {
    return parseMetadata(bytes, role, `${role}.json`).signed.expires;
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    return new Date(0).toISOString();
  }
}

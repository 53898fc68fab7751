/**
 * Brings a trust store up to date with a repository and looks targets up in it: the order of fetching and
 * persisting of The Update Framework's client workflow. The checks are in `trusted-metadata.ts`.
 */
import { IcepkgError } from '#schema/error';
import type { Delegations, Root, Snapshot, TargetFile, Targets, Timestamp } from '#schema/tuf/metadata';
import { delegatedRolesFor } from './delegations.ts';
import { encodeRole, type TrustStore } from './store.ts';
import {
  checkExpiry,
  checkMeta,
  checkVersion,
  delegatorOf,
  metaOf,
  rotatesFloor,
  trustInitialRoot,
  trustNextRoot,
  trustSnapshot,
  trustTargets,
  trustTimestamp,
  type Delegator,
  type TrustedRoot,
  type TrustedSnapshot,
  type TrustedTargets,
  type TrustedTimestamp,
} from './trusted-metadata.ts';

/** Bounds against endless data (5.3.3, 5.4.1, 5.5.1, 5.6.1) where the parent names no length, in bytes. */
export const MAX_BYTES = {
  root: 512_000,
  timestamp: 16_384,
  snapshot: 2_000_000,
  targets: 5_000_000,
} as const;
const MAX_ROOT_ROTATIONS = 256;
const MAX_DELEGATIONS = 32;
const MAX_ATTEMPTS = 8;

export interface MetadataFetcher {
  /** Where the metadata lies, for messages. */
  readonly base: string;
  /**
   * Returns the file of the given (already encoded) name, or `undefined` where the repository has none.
   * @throws IcepkgError `network-failed`, also where it is longer than `limit` bytes
   */
  readonly fetch: (name: string, limit: number) => Promise<Uint8Array | undefined>;
}

/** The top-level metadata that is trusted and current. */
export interface TrustedRepository {
  readonly root: Root;
  readonly snapshot: TrustedSnapshot;
  readonly targets: Targets;
}

interface Session {
  readonly store: TrustStore;
  readonly fetcher: MetadataFetcher;
  /** 5.1: fixed for the whole run, and never before the newest time seen. */
  readonly now: Date;
  readonly accept: NonNullable<UpdaterOptions['accept']>;
}

export interface UpdaterOptions {
  readonly store: TrustStore;
  readonly fetcher: MetadataFetcher;
  readonly now: Date;
  /** Refuses, by throwing, top-level metadata that is properly signed but not what was asked for. */
  readonly accept?: (signed: Timestamp | Snapshot | Targets, what: string) => void;
}

/**
 * Runs the client workflow up to the top-level targets.
 * @throws IcepkgError `trust-failed`, `trust-expired`, `trust-rollback`, `root-locked` or what the fetcher throws
 */
export async function refreshTrust(options: UpdaterOptions): Promise<TrustedRepository> {
  for (let attempt = 1; ; attempt++) {
    options.store.begin();
    const session = openSession(options);
    try {
      const trusted = await runWorkflow(session);
      options.store.raiseClockFloor(session.now);
      return trusted;
    } catch (error) {
      // Another process refreshed meanwhile: go on from what it came to trust.
      const outrun = error instanceof IcepkgError && error.code === 'root-locked';
      if (!outrun || attempt >= MAX_ATTEMPTS) throw error;
    }
  }
}

async function runWorkflow(session: Session): Promise<TrustedRepository> {
  const root = await updateRoot(session);
  const timestamp = await updateTimestamp(session, root);
  const snapshot = await updateSnapshot(session, root.signed, timestamp);
  const top: Delegator = { keys: root.signed.keys, role: root.signed.roles.targets };
  const targets = await updateTargets(session, { root: root.signed, snapshot }, top, 'targets');
  return { root: root.signed, snapshot, targets: targets.signed };
}

function openSession(options: UpdaterOptions): Session {
  const { accept = () => undefined, store, now } = options;
  return { ...options, accept, now: startTime(store, now) };
}

/** 5.1: never before the newest time at which metadata was found current. */
export function startTime(store: TrustStore, now: Date): Date {
  const floor = store.clockFloor();
  return floor > now ? floor : now;
}

/** 5.2 and 5.3 */
async function updateRoot(session: Session): Promise<TrustedRoot> {
  const { store, fetcher } = session;
  const stored = store.read('root');
  if (stored === undefined) {
    throw new IcepkgError('trust-failed', `no trusted root for ${fetcher.base}`, {
      hint: 'Install the trusted root that the repository gives out by a trusted way',
    });
  }
  let root = trustInitialRoot(stored, 'the trusted root');
  for (let rotations = 0; rotations < MAX_ROOT_ROTATIONS; rotations++) {
    const name = `${root.signed.version + 1}.root.json`;
    const bytes = await fetcher.fetch(name, MAX_BYTES.root);
    if (bytes === undefined) break;
    const next = trustNextRoot(root.signed, bytes, whatOf(fetcher, name));
    store.replaceRoot(bytes, rotatesFloor(root.signed, next.signed));
    root = next;
  }
  checkExpiry(root.signed, session.now, whatOf(fetcher, 'root.json'));
  return root;
}

/** 5.4 */
async function updateTimestamp(session: Session, root: TrustedRoot): Promise<TrustedTimestamp> {
  const { store, fetcher } = session;
  const what = whatOf(fetcher, 'timestamp.json');
  const old = ifTrusted(store.read('timestamp'), (bytes) =>
    trustTimestamp(root.signed, undefined, bytes, what),
  );
  const bytes = await required(fetcher, 'timestamp.json', MAX_BYTES.timestamp);
  const next = trustTimestamp(root.signed, old?.signed, bytes, what);
  session.accept(next.signed, what);
  // 5.4.3.1: the same version again is no update.
  if (old !== undefined && next.signed.version === old.signed.version) {
    checkExpiry(old.signed, session.now, what);
    return old;
  }
  checkExpiry(next.signed, session.now, what);
  store.write('timestamp', bytes);
  return next;
}

/** 5.5 */
async function updateSnapshot(
  session: Session,
  root: Root,
  timestamp: TrustedTimestamp,
): Promise<TrustedSnapshot> {
  const { store, fetcher } = session;
  const meta = timestamp.signed.meta['snapshot.json'];
  const check = (snapshot: TrustedSnapshot, what: string): TrustedSnapshot => {
    checkMeta(snapshot.bytes, meta, what);
    checkVersion(snapshot.signed.version, meta.version, what);
    checkExpiry(snapshot.signed, session.now, what);
    session.accept(snapshot.signed, what);
    return snapshot;
  };
  const old = ifTrusted(store.read('snapshot'), (bytes) =>
    trustSnapshot(root, undefined, bytes, 'snapshot.json'),
  );
  const current = old === undefined ? undefined : ifTrusted(old.bytes, () => check(old, 'snapshot.json'));
  if (current !== undefined) return current;

  const name = fileName(root, 'snapshot', meta.version);
  const bytes = await required(fetcher, name, meta.length ?? MAX_BYTES.snapshot);
  const what = whatOf(fetcher, name);
  checkMeta(bytes, meta, what);
  const next = check(trustSnapshot(root, old?.signed, bytes, what), what);
  store.write('snapshot', bytes);
  return next;
}

/** 5.6, for `targets` and for delegated roles */
async function updateTargets(
  session: Session,
  { root, snapshot }: { readonly root: Root; readonly snapshot: TrustedSnapshot },
  delegator: Delegator,
  role: string,
): Promise<TrustedTargets> {
  const { store, fetcher } = session;
  const meta = metaOf(snapshot.signed, `${role}.json`);
  if (meta === undefined) {
    throw new IcepkgError('trust-failed', `${whatOf(fetcher, 'snapshot.json')}: does not name ${role}.json`);
  }
  const check = (bytes: Uint8Array, what: string): TrustedTargets => {
    checkMeta(bytes, meta, what);
    const targets = trustTargets(delegator, bytes, what);
    checkVersion(targets.signed.version, meta.version, what);
    checkExpiry(targets.signed, session.now, what);
    if (role === 'targets') session.accept(targets.signed, what);
    return targets;
  };
  const current = ifTrusted(store.read(role), (bytes) => check(bytes, `${role}.json`));
  if (current !== undefined) return current;
  const name = fileName(root, role, meta.version);
  const bytes = await required(fetcher, name, meta.length ?? MAX_BYTES.targets);
  const next = check(bytes, whatOf(fetcher, name));
  store.write(role, bytes);
  return next;
}

/**
 * 5.6.7: looks a target up, in the top-level targets first, then depth first in the order of the delegations.
 * @returns `undefined` where no role that may speak for the path names it
 */
export async function findTarget(
  options: UpdaterOptions,
  repository: TrustedRepository,
  path: string,
): Promise<TargetFile | undefined> {
  const session = openSession(options);
  const visited = new Set<string>();
  type Visit = { readonly role: string; readonly delegations: Delegations; readonly by: Delegator['role'] };
  let pending: Visit[] = [];
  let targets: Targets = repository.targets;
  for (;;) {
    if (Object.hasOwn(targets.targets, path)) return targets.targets[path];
    const { delegations } = targets;
    if (delegations !== undefined) {
      const { roles, terminated } = delegatedRolesFor(delegations, path);
      const next = roles.map((role) => ({ role: role.name, delegations, by: role }));
      // 5.6.7.2.1: a terminating delegation ends the search beyond its own descendants.
      pending = terminated ? next : [...next, ...pending];
    }
    let visit: Visit | undefined;
    do visit = pending.shift();
    while (visit !== undefined && visited.has(visit.role));
    if (visit === undefined || visited.size >= MAX_DELEGATIONS) return undefined;
    visited.add(visit.role);
    const delegator = delegatorOf(visit.delegations, visit.by);
    targets = (await updateTargets(session, repository, delegator, visit.role)).signed;
  }
}

/** 5.5.1, 5.6.1: with consistent snapshots the version is part of the name. */
function fileName(root: Root, role: string, version: number): string {
  const prefix = root.consistent_snapshot === true ? `${version}.` : '';
  return `${prefix}${encodeRole(role)}.json`;
}

async function required(fetcher: MetadataFetcher, name: string, limit: number): Promise<Uint8Array> {
  const bytes = await fetcher.fetch(name, limit);
  if (bytes !== undefined) return bytes;
  throw new IcepkgError('network-failed', `${whatOf(fetcher, name)}: not found`, {
    hint: 'Check the address and the channel in etc/icepkg/repositories.toml',
  });
}

const whatOf = (fetcher: MetadataFetcher, name: string): string => `${fetcher.base}/${name}`;

/** Local metadata that does not pass any more is as good as none. */
function ifTrusted<T>(bytes: Uint8Array | undefined, load: (bytes: Uint8Array) => T): T | undefined {
  if (bytes === undefined) return undefined;
  try {
    return load(bytes);
  } catch (error) {
    if (error instanceof IcepkgError && error.code.startsWith('trust-')) return undefined;
    throw error;
  }
}

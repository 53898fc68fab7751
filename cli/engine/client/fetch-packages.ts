/** Gets packages to where they can be installed from: the second half of the repository client. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { readHeader, type PackageHeader } from '#schema/container/read';
import { IcepkgError, isErrno } from '#schema/error';
import type { EngineContext } from '../context.ts';
import type { Candidate, Change, FetchedPackage } from '../model.ts';
import { digestOf, download } from './download.ts';
import { fetchByPatch, mayBePatched } from './fetch-by-patch.ts';
import { checkLocalSignature } from './local-package.ts';
import { openMirrors, withMirrors } from './mirrors.ts';
import { openTally, type Tally } from './tally.ts';
import { networkError, type Transport } from './transport.ts';

/** Where downloaded packages are kept, below the root. */
export const PACKAGE_CACHE = 'var/cache/icepkg/packages';

const packageCacheOf = ({ root, packageCache }: EngineContext): string =>
  packageCache ?? join(root, PACKAGE_CACHE);

export interface FetchOptions {
  /** Accept local files that no trusted key signed. */
  readonly allowUntrusted?: boolean;
  /** The header of an installed package; with it packages may come by patches. */
  readonly headerOf?: (name: string) => Uint8Array | undefined;
  /** Packages of repositories that this function returned before, and that need not be verified again. */
  readonly ready?: readonly FetchedPackage[];
}

/**
 * Fetches what the changes bring in, several at a time, in the order given. Every file returned has the size,
 * the sha256 and the manifest that its record names.
 * @throws IcepkgError `network-failed`, `package-corrupt`, `package-unsigned`, `offline-missing`
 */
export async function fetchPackages(
  context: EngineContext,
  changes: readonly Change[],
  options: FetchOptions = {},
): Promise<FetchedPackage[]> {
  const wanted = changes.flatMap((change) =>
    change.to === undefined ? [] : [{ change, candidate: change.to }],
  );
  const tally = openTally(
    context.onProgress,
    wanted.map(({ candidate }) => candidate),
  );
  const fetched: FetchedPackage[] = [];
  const mirrors = new Map<string, readonly Transport[]>();
  const stop = new AbortController();
  const signal = context.signal === undefined ? stop.signal : AbortSignal.any([context.signal, stop.signal]);
  const limited = { ...context, signal };
  let next = 0;
  const ready = new Map(options.ready?.map((one) => [one.change.to?.record.package.sha256, one]));
  const means: Means = { mirrors, tally, options, ready, inTurn: openTurns() };
  const work = async (): Promise<void> => {
    for (let index = next++; index < wanted.length; index = next++) {
      const { change, candidate } = wanted[index] as (typeof wanted)[number];
      fetched[index] = { ...(await fetchOne(limited, { change, candidate }, means)), change };
    }
  };
  const workers = Array.from(
    { length: Math.min(context.config.network.parallel, wanted.length) },
    async () => {
      try {
        await work();
      } catch (error) {
        // The first failure ends the others; they fail with its abortion, which nobody asks about.
        next = wanted.length;
        stop.abort(error);
        throw error;
      }
    },
  );
  try {
    await Promise.allSettled(workers);
    if (stop.signal.aborted) throw stop.signal.reason;
    return fetched;
  } finally {
    for (const opened of mirrors.values()) for (const mirror of opened) mirror.close();
  }
}

type Fetched = Omit<FetchedPackage, 'change'>;

interface Means {
  readonly mirrors: Map<string, readonly Transport[]>;
  readonly tally: Tally;
  readonly options: FetchOptions;
  /** By the sha256 of the package. */
  readonly ready: ReadonlyMap<string | undefined, FetchedPackage>;
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Runs one piece of work after the other. */
function openTurns(): Means['inTurn'] {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

interface Incoming {
  readonly change: Change;
  readonly candidate: Candidate;
}

async function fetchOne(context: EngineContext, incoming: Incoming, means: Means): Promise<Fetched> {
  const { candidate } = incoming;
  const { record, source } = candidate;
  const label = `${record.name}-${record.version}`;
  switch (source.kind) {
    case 'file': {
      const header = readHeader(source.file, source.file);
      checkLocalSignature(context.root, header, source.file, means.options.allowUntrusted ?? false);
      return checked(candidate, source.file, header);
    }
    case 'installed':
      throw new IcepkgError('not-found', `${label}: installed, but no repository offers it any more`, {
        hint: `Run icepkg update, or install another version of ${record.name}`,
      });
    case 'repository': {
      const ready = means.ready.get(record.package.sha256);
      const file = join(packageCacheOf(context), `${record.package.sha256}.icepkg`);
      if (ready === undefined && !isWhole(file, candidate))
        return fetchFromRepository(context, incoming, { ...means, file });
      means.tally.verified(candidate);
      return ready ?? checked(candidate, file, readHeader(file, label));
    }
  }
}

interface FileMeans extends Means {
  readonly file: string;
}

/** By a patch where there is one, else whole. */
async function fetchFromRepository(
  context: EngineContext,
  { change, candidate }: Incoming,
  means: FileMeans,
): Promise<Fetched> {
  const { tally, options, inTurn, file } = means;
  const { record } = candidate;
  const mirrors = mirrorsFor(context, candidate, means);
  let received = 0;
  const onReceived = (bytes: number): void => void (received += bytes);
  const from = change.action === 'upgrade' ? change.from?.record : undefined;
  const header = from === undefined ? undefined : options.headerOf?.(from.name);
  if (from && header !== undefined && context.config.network.patches && mayBePatched(record, mirrors)) {
    const installed = { manifest: from.manifest.sha256, header };
    const rebuilt = await fetchByPatch(context, { record, installed, mirrors, file, onReceived, inTurn });
    if (rebuilt !== undefined) {
      tally.verified(candidate);
      return { ...rebuilt, received, patched: true };
    }
  }
  const local = await fetchWhole(context, candidate, { mirrors, tally, file, onReceived });
  const found = local ?? file;
  return { ...checked(candidate, found, readHeader(found, nameOf(candidate))), received };
}

const nameOf = ({ record }: Candidate): string => `${record.name}-${record.version}`;

function mirrorsFor(
  context: EngineContext,
  candidate: Candidate,
  { mirrors }: Pick<Means, 'mirrors'>,
): readonly Transport[] {
  const name = candidate.source.kind === 'repository' ? candidate.source.repository : '';
  const repository = context.config.repositories.find((each) => each.name === name);
  if (repository === undefined) {
    throw new IcepkgError('not-found', `${nameOf(candidate)}: the repository ${name} is not configured`, {
      hint: 'Add it to etc/icepkg/repositories.toml again',
    });
  }
  const opened = mirrors.get(name) ?? openMirrors(context, repository);
  mirrors.set(name, opened);
  return opened;
}

interface WholeMeans {
  readonly mirrors: readonly Transport[];
  readonly tally: Tally;
  readonly file: string;
  readonly onReceived: (bytes: number) => void;
}

/** Downloads to `file`, or returns the file of a folder repository, verified in place. */
async function fetchWhole(
  context: EngineContext,
  candidate: Candidate,
  { mirrors, tally, file, onReceived }: WholeMeans,
): Promise<string | undefined> {
  const { record } = candidate;
  const { size, sha256 } = record.package;
  const path = record.package.path.split('/').map(encodeURIComponent).join('/');
  return withMirrors(context, mirrors, nameOf(candidate), async (mirror) => {
    const local = mirror.localFile?.(path);
    if (local !== undefined) {
      if (isWhole(local, candidate)) {
        tally.verified(candidate);
        return local;
      }
      if (!fs.existsSync(local)) throw networkError(`${local}: not found`);
      throw new IcepkgError('package-corrupt', `${local}: not the file that the index names`, {
        hint: 'Copy the repository to this folder again',
      });
    }
    const signal = context.signal === undefined ? {} : { signal: context.signal };
    await download(
      mirror,
      { path, size, sha256, file },
      { ...signal, onReceived, onBytes: (done) => tally.downloaded(candidate, done) },
    );
    return undefined;
  });
}

/** True where the file has the size and digest of the record. */
function isWhole(file: string, { record }: Candidate): boolean {
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) return false;
    throw error;
  }
  try {
    const stat = fs.fstatSync(fd);
    return stat.isFile() && stat.size === record.package.size && digestOf(fd) === record.package.sha256;
  } finally {
    fs.closeSync(fd);
  }
}

/** The manifest is the one that the index pins: what was solved with is what gets installed. */
function checked({ record }: Candidate, file: string, header: PackageHeader): Fetched {
  if (header.manifestSha256 !== record.manifest.sha256 || header.headerSize !== record.package.headerSize) {
    throw new IcepkgError(
      'package-corrupt',
      `${file}: its manifest is not the one of ${record.name}-${record.version}`,
      {
        hint: 'Run icepkg update, then try again; if it stays, the repository must be published anew',
      },
    );
  }
  const { headerSize, manifest } = header;
  return { file, headerSize, manifest, header: header.header, received: 0, patched: false };
}

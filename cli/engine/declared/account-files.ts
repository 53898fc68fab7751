/** The account files of a root as a transaction finds them: on disk, or in a package that brings them just now. */
import { constants, openSync, readFileSync, closeSync } from 'node:fs';
import { detectCodec, openDecoder } from '#schema/container/codec';
import { readFrame } from '#schema/container/verify';
import { IcepkgError, isErrno } from '#schema/error';
import type { Manifest, RegularFile } from '#schema/manifest';
import { decideConfig } from '../file-plan/config-decision.ts';
import { openGlobs } from '../file-plan/glob.ts';
import type { DiskView, FileRules } from '../file-plan/operations.ts';
import type { FetchedPackage } from '../model.ts';
import { openDirectories } from '../root-fs/directories.ts';
import { unlessExchanged } from '../root-fs/disk-view.ts';
import type { StoreReader } from '../store/model.ts';
import type { AccountTexts } from './account-lines.ts';

export const ACCOUNT_PATHS = {
  passwd: 'etc/passwd',
  group: 'etc/group',
  shadow: 'etc/shadow',
  gshadow: 'etc/gshadow',
} as const satisfies Record<keyof AccountTexts, string>;
const PATHS: readonly string[] = Object.values(ACCOUNT_PATHS);

/** Account files hold what the operator and other packages wrote: configuration, whatever their package says. */
export function withAccountConfig(manifest: Manifest): Manifest {
  if (!manifest.files.some(({ path }) => PATHS.includes(path))) return manifest;
  const files = manifest.files.map((entry) =>
    entry.type === 'file' && PATHS.includes(entry.path) ? { ...entry, config: true as const } : entry,
  );
  return { ...manifest, files };
}

export interface AccountFile {
  readonly text: string | undefined;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}
export type AccountFiles = Readonly<Record<keyof AccountTexts, AccountFile>>;

export interface AccountSources {
  readonly root: string;
  readonly disk: DiskView;
  readonly store: Pick<StoreReader, 'ownersOf'>;
  readonly fetched: readonly FetchedPackage[];
  readonly rules: FileRules;
}

/**
 * What each file would hold after the transaction if no package declared anything.
 * @throws IcepkgError where accounts cannot be added to it
 */
export function readAccountFiles(sources: AccountSources): AccountFiles {
  const { disk } = sources;
  if (disk.kind('etc') !== undefined && disk.kind('etc') !== 'directory') {
    throw new IcepkgError('file-conflict', '/etc is no directory, so no account can be added below it', {
      hint: 'Put a directory in its place',
    });
  }
  const of = (name: keyof AccountTexts, mode: number): AccountFile => {
    const path = ACCOUNT_PATHS[name];
    const brought = broughtFile(sources, path);
    if (brought !== undefined) {
      const { entry, from } = brought;
      return {
        text: contentOf(from, entry),
        mode: entry.mode,
        uid: entry.uid ?? 0,
        gid: entry.gid ?? 0,
      };
    }
    const kind = disk.kind(path);
    const metadata = disk.metadata(path);
    if (kind === undefined || metadata === undefined) return { text: undefined, mode, uid: 0, gid: 0 };
    if (kind !== 'file') {
      throw new IcepkgError(
        'file-conflict',
        `/${path} is no regular file, so no account can be added to it`,
        {
          hint: 'Put a regular file in its place',
        },
      );
    }
    return { ...metadata, text: readInside(sources.root, path) };
  };
  return {
    passwd: of('passwd', 0o644),
    group: of('group', 0o644),
    shadow: of('shadow', 0o600),
    gshadow: of('gshadow', 0o600),
  };
}

/** The package entry that comes to be at `path`; none where what is on disk stays. */
function broughtFile(
  { disk, store, fetched, rules }: AccountSources,
  path: string,
): { readonly entry: RegularFile; readonly from: FetchedPackage } | undefined {
  if (openGlobs(rules.skip ?? [])(path)) return undefined;
  for (const from of fetched) {
    const entry = from.manifest.files.find((one) => one.path === path);
    if (entry?.type !== 'file') continue;
    const onDisk = disk.sha256(path);
    const old = store.ownersOf(path).find((row) => row.sha256 !== undefined)?.sha256;
    const kept = openGlobs(rules.keep ?? [])(path);
    const isReplaced =
      onDisk === undefined || decideConfig({ old, disk: onDisk, new: entry.sha256, kept }) === 'replace';
    return isReplaced ? { entry, from } : undefined;
  }
  return undefined;
}

function contentOf(from: FetchedPackage, entry: RegularFile): string {
  const { manifest, file, headerSize, header } = from;
  const what = `${manifest.name}-${manifest.version}`;
  const codec = detectCodec(header);
  if (entry.size === 0 || entry.frame === undefined || codec === undefined) return '';
  const fd = openSync(file, 'r');
  try {
    const source = { fd, headerSize, decoder: openDecoder(codec), what };
    const pieces: Uint8Array[] = [];
    const end = (entry.offset ?? 0) + entry.size;
    let size = 0;
    for (const frame of manifest.frames.slice(entry.frame - 1)) {
      // A decoder may give the same room again.
      pieces.push(Uint8Array.from(readFrame(source, frame)));
      size += frame.uncompressedSize;
      if (size >= end) break;
    }
    return Buffer.concat(pieces).toString('latin1', entry.offset ?? 0, end);
  } finally {
    closeSync(fd);
  }
}

function readInside(root: string, path: string): string {
  const directories = openDirectories(root);
  try {
    return unlessExchanged(path, () => {
      const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
      const fd = openSync(directories.at(path) ?? '', O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      try {
        return readFileSync(fd, 'latin1');
      } finally {
        closeSync(fd);
      }
    });
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM')) throw error;
    throw new IcepkgError('root-read-only', `cannot read /${path} to add accounts to it`, {
      hint: 'Run icepkg as the owner of the root',
      cause: error,
    });
  } finally {
    directories.close();
  }
}

/** Adds a repository to the configuration of a root. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'smol-toml';
import { IcepkgError, isErrno } from '#schema/error';
import { isMirror, loadRepositories, REPOSITORIES_FILE, trustFileOf } from './config.ts';
import { checkOwnFolders } from './root-fs/own-folders.ts';
import { replaceFile } from './trust/replace-file.ts';
import { trustInitialRoot } from './trust/trusted-metadata.ts';

export interface RepositoryAttachment {
  readonly name: string;
  /** Addresses, and folders as the caller would write them: relative ones are made absolute. */
  readonly mirrors: readonly string[];
  readonly channel?: string;
  /** Stay at what the channel served under this number. */
  readonly snapshot?: number;
  /** Path of the `root.json` that the repository gives out by a trusted way. */
  readonly trustedRoot: string;
  /** Take only packages from it that are pinned to it, and what those need. */
  readonly pinnedOnly?: boolean;
}

/**
 * Installs the trusted root and appends the repository to `etc/icepkg/repositories.toml`.
 * @returns the mirrors as they were written
 * @throws IcepkgError `usage` where the name is taken or a mirror has no such address, `trust-failed` where the trusted root is none
 */
export function attachRepository(root: string, repository: RepositoryAttachment): readonly string[] {
  const { name, channel = 'stable', trustedRoot } = repository;
  const mirrors = repository.mirrors.map(mirrorAddress);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_+.-]{0,127}$/.test(name)) {
    throw new IcepkgError('usage', `${JSON.stringify(name)} is no name for a repository`, {
      hint: 'Use letters, digits and _ + . - only',
    });
  }
  checkOwnFolders(root);
  const file = join(root, REPOSITORIES_FILE);
  const before = readOr(file, '');
  if (loadRepositories(root).some((each) => each.name === name)) {
    throw new IcepkgError('usage', `the repository ${name} is configured already`, {
      hint: `Edit ${REPOSITORIES_FILE}, or choose another name`,
    });
  }
  const anchor = readAnchor(trustedRoot);
  replaceFile(join(root, trustFileOf(name)), anchor);
  const only = repository.pinnedOnly === true ? { pinnedOnly: true } : {};
  const at = repository.snapshot === undefined ? {} : { snapshot: repository.snapshot };
  const entry = stringify({ repository: [{ name, channel, ...at, mirrors, ...only }] });
  const separator = before === '' || before.endsWith('\n') ? '' : '\n';
  replaceFile(file, Buffer.from(`${before}${separator}\n${entry}\n`));
  try {
    loadRepositories(root);
  } catch (error) {
    replaceFile(file, Buffer.from(before));
    throw error;
  }
  return mirrors;
}

function mirrorAddress(text: string): string {
  const address = text === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : resolve(text);
  if (isMirror(address)) return address;
  throw new IcepkgError('usage', `${JSON.stringify(text)} is no address of a mirror`, {
    hint: 'Give an http://, https:// or file:// address, or a folder',
  });
}

/** @throws IcepkgError `not-found`, or `trust-failed` where the file is no root metadata that its own keys signed */
function readAnchor(file: string): Uint8Array {
  const bytes = Buffer.from(readOr(file));
  try {
    trustInitialRoot(bytes, file);
    return bytes;
  } catch (cause) {
    if (!(cause instanceof IcepkgError)) throw cause;
    throw new IcepkgError('trust-failed', `no trusted root of a repository: ${cause.message}`, {
      hint: TRUST_HINT,
      cause,
    });
  }
}

const TRUST_HINT =
  'Give the root.json that the operator of the repository gave you; a key alone is not enough';

function readOr(file: string, absent?: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR')) throw cause;
    if (absent !== undefined && cause.code === 'ENOENT') return absent;
    throw new IcepkgError('not-found', `${file} cannot be read`, { hint: TRUST_HINT, cause });
  }
}

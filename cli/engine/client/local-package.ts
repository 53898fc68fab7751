/** Local `.icepkg` files: trusted by the keys in `etc/icepkg/keys`. */
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { readHeader, type PackageHeader } from '#schema/container/read';
import { checkPackageSize } from '#schema/container/verify';
import { IcepkgError, isErrno } from '#schema/error';
import { decodePublicKey, type PublicKey } from '#schema/keys';
import { recordOf } from '#schema/record';
import { verifyManifest } from '#schema/signature';
import type { EngineContext } from '../context.ts';
import type { Candidate } from '../model.ts';
import { digestOf } from './download.ts';

export const KEY_FOLDER = 'etc/icepkg/keys';

/**
 * Offers a local file to the solver.
 * @throws IcepkgError `package-corrupt`; `unsolvable` where it is for another machine; `package-unsigned` where no trusted key signed it, unless `allowUntrusted`
 */
export function localCandidate(
  { root, arch }: Pick<EngineContext, 'root' | 'arch'>,
  given: string,
  allowUntrusted: boolean,
): Candidate {
  const file = resolve(given);
  const header = readHeader(file, given);
  if (!['noarch', arch].includes(header.manifest.arch)) {
    throw new IcepkgError('unsolvable', `${given} is for ${header.manifest.arch}, not for ${arch}`, {
      hint: `Take the package for ${arch}, or another root: icepkg init --arch ${header.manifest.arch}`,
    });
  }
  checkLocalSignature(root, header, given, allowUntrusted);
  const fd = fs.openSync(file, 'r');
  try {
    const { size } = fs.fstatSync(fd);
    checkPackageSize(header, size, given);
    const { name, version, arch } = header.manifest;
    const location = { path: `${name}-${version}.${arch}.icepkg`, size, sha256: digestOf(fd) };
    return { record: recordOf(header, location), source: { kind: 'file', file } };
  } finally {
    fs.closeSync(fd);
  }
}

/** @throws IcepkgError `package-unsigned` */
export function checkLocalSignature(
  root: string,
  header: PackageHeader,
  what: string,
  allowUntrusted: boolean,
): void {
  if (allowUntrusted) return;
  if (verifyManifest(header.manifestBytes, header.signatures, trustedKeys(root)).length > 0) return;
  const problem = header.signatures.length === 0 ? 'is not signed' : 'is signed by no trusted key';
  throw new IcepkgError('package-unsigned', `${what} ${problem}`, {
    hint: `Put the signer's .pub file into ${KEY_FOLDER}, or give --allow-untrusted`,
  });
}

/** Keys of packagers that this root trusts. */
export function trustedKeys(root: string): readonly PublicKey[] {
  let names: string[];
  try {
    names = fs.readdirSync(join(root, KEY_FOLDER));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  return names
    .filter((name) => name.endsWith('.pub'))
    .sort()
    .map((name) => decodePublicKey(fs.readFileSync(join(root, KEY_FOLDER, name)), `${KEY_FOLDER}/${name}`));
}

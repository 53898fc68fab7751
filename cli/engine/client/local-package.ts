/** Local `.icepkg` files: trusted by the keys in `etc/icepkg/keys`. */
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { readHeader, type PackageHeader } from '#schema/container/read';
import { checkPackageSize } from '#schema/container/verify';
import { IcepkgError, isErrno } from '#schema/error';
import { decodePublicKey, type PublicKey } from '#schema/keys';
import { recordOf } from '#schema/record';
import { verifyManifest } from '#schema/signature';
import type { Candidate } from '../model.ts';
import { digestOf } from './download.ts';

export const KEY_FOLDER = 'etc/icepkg/keys';

/**
 * Offers a local file to the solver.
 * @throws IcepkgError `package-corrupt`; `package-unsigned` where no trusted key signed it, unless `allowUntrusted`
 */
export function localCandidate(root: string, given: string, allowUntrusted: boolean): Candidate {
  const file = resolve(given);
  const header = readHeader(file, given);
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

function trustedKeys(root: string): readonly PublicKey[] {
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

/** Local `.icepkg` files as candidates for the solver. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { readHeader, type PackageHeader } from '#schema/container/read';
import { IcepkgError, isErrno } from '#schema/error';
import { decodePublicKey, type PublicKey } from '#schema/keys';
import { recordOf } from '#schema/record';
import { verifyManifest } from '#schema/signature';
import type { EngineContext } from './context.ts';
import type { Candidate } from './model.ts';

/** Public keys whose signature makes a local file trusted: `NAME.pub`. */
const KEYS = 'etc/icepkg/trust';

/** @throws IcepkgError `package-unsigned` unless a trusted key signed each file or `allowUntrusted` is set */
export async function localCandidates(
  context: EngineContext,
  files: readonly string[],
  allowUntrusted: boolean,
): Promise<readonly Candidate[]> {
  if (files.length === 0) return [];
  const keys = allowUntrusted ? [] : trustedKeys(context.root);
  const candidates: Candidate[] = [];
  for (const file of files.map((name) => resolve(name))) {
    const header = readHeader(file, basename(file));
    if (!allowUntrusted) requireTrusted(header, file, keys);
    const location = { path: basename(file), size: statSync(file).size, sha256: await digestOf(file) };
    candidates.push({ record: recordOf(header, location), source: { kind: 'file', file } });
  }
  return candidates;
}

function requireTrusted(header: PackageHeader, file: string, keys: readonly PublicKey[]): void {
  if (verifyManifest(header.manifestBytes, header.signatures, keys).length > 0) return;
  throw new IcepkgError('package-unsigned', `${file} is not signed by a key of ${KEYS}`, {
    hint: `Copy the signer's NAME.pub there, or pass --allow-untrusted if you know where the file is from`,
  });
}

function trustedKeys(root: string): readonly PublicKey[] {
  const folder = join(root, KEYS);
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.pub'));
    return names.map((name) => decodePublicKey(readFileSync(join(folder, name)), join(folder, name)));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

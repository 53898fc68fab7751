/** Checks that a file of a release folder is what its maker released. */
import * as path from 'node:path';
import { parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { IcepkgError } from '#schema/error';
import type { PublicKey } from '#schema/keys';
import { SignaturesSchema, verifyRelease } from '#schema/signature';
import { SUMS, SUMS_SIGNATURE } from './deliver.ts';
import { readInput } from './read-input.ts';

/**
 * The sha256 that the folder's checksums give for a file.
 * @param trustedKeys one of them must have signed the checksums; none asks for no signature
 * @throws IcepkgError `not-found`, `trust-failed`
 */
export function releasedDigest(folder: string, file: string, trustedKeys: readonly PublicKey[]): string {
  const sums = read(folder, SUMS);
  if (trustedKeys.length > 0) {
    const name = path.join(folder, SUMS_SIGNATURE);
    const { signatures } = decode(SignaturesSchema, parseJson(read(folder, SUMS_SIGNATURE), name), name);
    if (verifyRelease(sums, signatures, trustedKeys).length === 0)
      throw new IcepkgError(
        'trust-failed',
        `${path.join(folder, SUMS)} is signed by none of the given keys`,
        {
          hint: 'Ask who released the image for the right key, and do not use the image',
        },
      );
  }
  const line = sums
    .toString('utf8')
    .split('\n')
    .find((one) => one.slice(64) === `  ${file}`);
  if (line !== undefined) return line.slice(0, 64);
  throw new IcepkgError('not-found', `${path.join(folder, SUMS)} does not list ${file}`, {
    hint: 'Build the image again: icepkg image build',
  });
}

const read = (folder: string, name: string): Buffer =>
  readInput(path.join(folder, name), 'Build the image, and sign it with: icepkg image build --key FILE');

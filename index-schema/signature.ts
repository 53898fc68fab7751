/** Signatures of packages and of releases of images: ed25519 over a digest, each apart from any other use of the key. */
import * as v from 'valibot';
import { Sha256Schema } from './fields.ts';
import { keyId, sign, verify, type PrivateKey, type PublicKey } from './keys.ts';
import { sha256 } from './digest.ts';

export const SignatureSchema = v.strictObject({
  keyid: Sha256Schema,
  sig: v.pipe(v.string('expected a string'), v.regex(/^[0-9a-f]{128}$/, 'expected 128 hexadecimal digits')),
});

/** The document `.icepkg/signatures.json`; sorted by key id, one signature a key. */
export const SignaturesSchema = v.strictObject({
  format: v.literal(1),
  signatures: v.pipe(v.array(SignatureSchema), v.maxLength(1024)),
});

export type PackageSignature = v.InferOutput<typeof SignatureSchema>;

/** Signs the exact bytes of a manifest. */
export function signManifest(manifest: Uint8Array, key: PrivateKey): PackageSignature {
  return signDigest('manifest', sha256(manifest), key);
}

/** Signs the exact bytes of the `SHA256SUMS` of a release. */
export function signRelease(sums: Uint8Array, key: PrivateKey): PackageSignature {
  return signDigest('release', sha256(sums), key);
}

/** Returns the trusted keys, each once, that signed the manifest; an empty list means that nobody trusted did. */
export function verifyManifest(
  manifest: Uint8Array,
  signatures: readonly PackageSignature[],
  trustedKeys: readonly PublicKey[],
): readonly PublicKey[] {
  return signersOf('manifest', sha256(manifest), { signatures, trustedKeys });
}

/** As `verifyManifest`, of the `SHA256SUMS` of a release. */
export function verifyRelease(
  sums: Uint8Array,
  signatures: readonly PackageSignature[],
  trustedKeys: readonly PublicKey[],
): readonly PublicKey[] {
  return signersOf('release', sha256(sums), { signatures, trustedKeys });
}

type Signed = 'manifest' | 'release';

const signDigest = (kind: Signed, digest: string, key: PrivateKey): PackageSignature => ({
  keyid: keyId(key.public),
  sig: sign(key, message(kind, digest)),
});

interface Signers {
  readonly signatures: readonly PackageSignature[];
  readonly trustedKeys: readonly PublicKey[];
}

function signersOf(kind: Signed, digest: string, { signatures, trustedKeys }: Signers): readonly PublicKey[] {
  const signed = message(kind, digest);
  return trustedKeys.filter((key) => {
    const id = keyId(key);
    return signatures.some(({ keyid, sig }) => keyid === id && verify(key, signed, sig));
  });
}

/** The prefix keeps a signature of one kind of thing from passing for one of anything else. */
const message = (kind: Signed, digest: string): Uint8Array => Buffer.from(`icepkg-${kind}-v1\n${digest}`);

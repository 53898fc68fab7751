/** Package signatures: ed25519 over the digest of the manifest, apart from any other use of the key. */
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
  return { keyid: keyId(key.public), sig: sign(key, message(sha256(manifest))) };
}

/** Returns the trusted keys, each once, that signed the manifest; an empty list means that nobody trusted did. */
export function verifyManifest(
  manifest: Uint8Array,
  signatures: readonly PackageSignature[],
  trustedKeys: readonly PublicKey[],
): readonly PublicKey[] {
  const signed = message(sha256(manifest));
  return trustedKeys.filter((key) => {
    const id = keyId(key);
    return signatures.some(({ keyid, sig }) => keyid === id && verify(key, signed, sig));
  });
}

/** The prefix keeps a signature of a package from passing for one of anything else. */
const message = (manifestSha256: string): Uint8Array => Buffer.from(`icepkg-manifest-v1\n${manifestSha256}`);

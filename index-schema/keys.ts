/**
 * ed25519 keys in the form that The Update Framework gives them. tweetnacl makes keys and signs;
 * `node:crypto` verifies, which is some fifty times faster and refuses malleated signatures.
 */
import * as crypto from 'node:crypto';
import { createRequire } from 'node:module';
import type nacl from 'tweetnacl';
import * as v from 'valibot';
import { canonicalJson, parseJson, tufCanonicalJson } from './canonical-json.ts';
import { decode } from './decode.ts';
import { sha256 } from './digest.ts';
import { IcepkgError } from './error.ts';

const KeyHex = v.pipe(
  v.string('expected a string'),
  v.regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits'),
);

export const PublicKeySchema = v.strictObject({
  keytype: v.literal('ed25519', 'expected ed25519'),
  scheme: v.literal('ed25519', 'expected ed25519'),
  keyval: v.strictObject({ public: KeyHex }),
});
const PrivateKeyFileSchema = v.strictObject({
  keytype: v.literal('ed25519', 'expected ed25519'),
  scheme: v.literal('ed25519', 'expected ed25519'),
  keyval: v.strictObject({ public: KeyHex, private: KeyHex }),
});

export type PublicKey = v.InferOutput<typeof PublicKeySchema>;
export interface PrivateKey {
  readonly public: PublicKey;
  /** The 32 byte seed, in hexadecimal. */
  readonly seed: string;
}

/** Loaded by what signs; whoever only verifies never pays for it. */
const loadNacl = (): typeof nacl => createRequire(import.meta.url)('tweetnacl') as typeof nacl;

/** Makes a key from the system's random source. */
export function generateKey(): PrivateKey {
  return keyFromSeed(crypto.randomBytes(32));
}

/** The key of a 32 byte seed. */
export function keyFromSeed(seed: Uint8Array): PrivateKey {
  const pair = loadNacl().sign.keyPair.fromSeed(new Uint8Array(seed));
  return {
    public: publicKey(Buffer.from(pair.publicKey).toString('hex')),
    seed: Buffer.from(seed).toString('hex'),
  };
}

/** TUF's key id: the sha256 of the canonical form of the public key. */
export function keyId(key: PublicKey): string {
  return sha256(tufCanonicalJson(key));
}

/** Returns the signature in hexadecimal. */
export function sign(key: PrivateKey, bytes: Uint8Array): string {
  const pair = loadNacl().sign.keyPair.fromSeed(new Uint8Array(Buffer.from(key.seed, 'hex')));
  return Buffer.from(loadNacl().sign.detached(new Uint8Array(bytes), pair.secretKey)).toString('hex');
}

/** The DER prefix of an ed25519 SubjectPublicKeyInfo; the 32 key bytes follow. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const keyObjects = new WeakMap<PublicKey, crypto.KeyObject>();

/** True where `signature` is the key's over `bytes`; false for anything malformed. */
export function verify(key: PublicKey, bytes: Uint8Array, signature: string): boolean {
  if (!/^[0-9a-f]{128}$/.test(signature)) return false;
  let object = keyObjects.get(key);
  if (object === undefined) {
    const der = Buffer.concat([SPKI_PREFIX, Buffer.from(key.keyval.public, 'hex')]);
    if (der.length !== SPKI_PREFIX.length + 32) return false;
    object = crypto.createPublicKey({ key: der, format: 'der', type: 'spki' });
    keyObjects.set(key, object);
  }
  return crypto.verify(null, bytes, object, Buffer.from(signature, 'hex'));
}

/** Content of a `NAME.key` file, which must be readable by its owner only. */
export function encodePrivateKey(key: PrivateKey): Uint8Array {
  const { keytype, scheme, keyval } = key.public;
  return canonicalJson({ keytype, scheme, keyval: { public: keyval.public, private: key.seed } });
}

/** Content of a `NAME.pub` file. */
export function encodePublicKey(key: PublicKey): Uint8Array {
  return canonicalJson(key);
}

/** @param what names the file in the error */
export function decodePrivateKey(bytes: Uint8Array, what: string): PrivateKey {
  const document = parseJson(bytes, what);
  if (v.is(PublicKeySchema, document)) {
    throw new IcepkgError('format-invalid', `${what}: a public key, which cannot sign`, {
      hint: 'Give the private key that belongs to it, which icepkg key generate wrote as NAME.key',
    });
  }
  const file = decode(PrivateKeyFileSchema, document, what);
  const key = keyFromSeed(Buffer.from(file.keyval.private, 'hex'));
  if (key.public.keyval.public !== file.keyval.public) {
    throw new IcepkgError(
      'format-invalid',
      `${what}: the public and the private half do not belong together`,
      {
        hint: 'Restore the file from a backup, or make a new key with icepkg key generate',
      },
    );
  }
  return key;
}

/** @param what names the file in the error */
export function decodePublicKey(bytes: Uint8Array, what: string): PublicKey {
  return decode(PublicKeySchema, parseJson(bytes, what), what);
}

const publicKey = (hex: string): PublicKey => ({
  keytype: 'ed25519',
  scheme: 'ed25519',
  keyval: { public: hex },
});

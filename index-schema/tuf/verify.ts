/** Signatures of The Update Framework: which of a role's keys really signed. */
import * as crypto from 'node:crypto';
import type { MetadataSignature, Role, SignedMetadata, TufKey } from './metadata.ts';

const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * The number of distinct keys of the role that signed (specification 5.x, "verify with a threshold of keys").
 * One key listed under several ids counts once.
 */
export function countSigners(
  metadata: SignedMetadata<unknown>,
  keys: Readonly<Record<string, TufKey>>,
  role: Pick<Role, 'keyids'>,
): number {
  const signers = new Set<string>();
  for (const signature of metadata.signatures) {
    const key = role.keyids.includes(signature.keyid) ? ownKey(keys, signature.keyid) : undefined;
    if (key !== undefined && verifyTufKey(key, metadata.signedBytes, signature)) {
      signers.add(`${key.scheme} ${key.keyval.public.trim()}`);
    }
  }
  return signers.size;
}

const ownKey = (keys: Readonly<Record<string, TufKey>>, id: string): TufKey | undefined =>
  Object.hasOwn(keys, id) ? keys[id] : undefined;

/** True where the key made the signature; false for unknown schemes and anything malformed. */
export function verifyTufKey(key: TufKey, bytes: Uint8Array, { sig }: MetadataSignature): boolean {
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(sig)) return false;
  const signature = Buffer.from(sig, 'hex');
  try {
    switch (key.scheme) {
      case 'ed25519':
        return key.keytype === 'ed25519' && crypto.verify(null, bytes, ed25519Key(key), signature);
      case 'ecdsa-sha2-nistp256':
        return ecdsa(key, 'prime256v1') && crypto.verify('sha256', bytes, pemKey(key), signature);
      case 'ecdsa-sha2-nistp384':
        return ecdsa(key, 'secp384r1') && crypto.verify('sha384', bytes, pemKey(key), signature);
      case 'rsassa-pss-sha256':
        return rsa(key, bytes, { ...PSS, signature });
      case 'rsa-pkcs1v15-sha256':
        return rsa(key, bytes, { padding: crypto.constants.RSA_PKCS1_PADDING, signature });
      default:
        return false;
    }
  } catch {
    // OpenSSL throws for keys and signatures that cannot be parsed: they sign nothing.
    return false;
  }
}

function ed25519Key(key: TufKey): crypto.KeyObject {
  if (!/^[0-9a-fA-F]{64}$/.test(key.keyval.public)) return pemKey(key);
  const der = Buffer.concat([ED25519_SPKI_PREFIX, Buffer.from(key.keyval.public, 'hex')]);
  return crypto.createPublicKey({ key: der, format: 'der', type: 'spki' });
}

const pemKey = (key: TufKey): crypto.KeyObject => crypto.createPublicKey(key.keyval.public);

function ecdsa(key: TufKey, curve: string): boolean {
  const details = pemKey(key);
  const named = key.keytype === 'ecdsa' || key.keytype === key.scheme;
  return named && details.asymmetricKeyType === 'ec' && details.asymmetricKeyDetails?.namedCurve === curve;
}

const PSS = {
  padding: crypto.constants.RSA_PKCS1_PSS_PADDING,
  saltLength: crypto.constants.RSA_PSS_SALTLEN_AUTO,
} as const;

interface RsaSignature {
  readonly padding: number;
  readonly saltLength?: number;
  readonly signature: Uint8Array;
}

function rsa(key: TufKey, bytes: Uint8Array, { signature, ...scheme }: RsaSignature): boolean {
  const object = pemKey(key);
  const bits = object.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.keytype !== 'rsa' || object.asymmetricKeyType !== 'rsa' || bits < 2048) return false;
  return crypto.verify('sha256', bytes, { key: object, ...scheme }, signature);
}

/** Keys of every kind that The Update Framework's specification names, and two that are in use besides. */
import * as crypto from 'node:crypto';
import { tufCanonicalJson } from '#schema/canonical-json';
import { sha256 } from '#schema/digest';

export type Scheme =
  'ed25519' | 'ecdsa-sha2-nistp256' | 'ecdsa-sha2-nistp384' | 'rsassa-pss-sha256' | 'rsa-pkcs1v15-sha256';

export interface PublicKeyDocument {
  keytype: string;
  scheme: string;
  keyval: { public: string };
  [field: string]: unknown;
}

export interface Signer {
  readonly keyid: string;
  readonly key: PublicKeyDocument;
  readonly sign: (bytes: Uint8Array) => string;
}

export interface SignerOptions {
  readonly scheme?: Scheme;
  readonly keytype?: string;
  /** Fields that the specification does not know. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Instead of the digest of the key. */
  readonly keyid?: string;
}

/** A new key; ECDSA unless said otherwise. */
export function makeSigner(options: SignerOptions = {}): Signer {
  const { scheme = 'ecdsa-sha2-nistp256', extra = {} } = options;
  const { privateKey, publicKey, keytype, padding } = pairOf(scheme);
  const key = {
    keytype: options.keytype ?? keytype,
    scheme,
    keyval: { public: encoded(publicKey) },
    ...extra,
  };
  const digest = scheme === 'ed25519' ? null : scheme === 'ecdsa-sha2-nistp384' ? 'sha384' : 'sha256';
  return {
    keyid: options.keyid ?? sha256(tufCanonicalJson(key)),
    key,
    sign: (bytes) => crypto.sign(digest, bytes, { key: privateKey, ...padding }).toString('hex'),
  };
}

interface Pair extends crypto.KeyPairKeyObjectResult {
  readonly keytype: string;
  readonly padding?: { readonly padding: number; readonly saltLength?: number };
}

function pairOf(scheme: Scheme): Pair {
  const { constants } = crypto;
  switch (scheme) {
    case 'ed25519':
      return { ...crypto.generateKeyPairSync('ed25519'), keytype: 'ed25519' };
    case 'ecdsa-sha2-nistp256':
      return { ...crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }), keytype: 'ecdsa' };
    case 'ecdsa-sha2-nistp384':
      return { ...crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' }), keytype: 'ecdsa' };
    case 'rsassa-pss-sha256':
      return {
        ...crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
        keytype: 'rsa',
        padding: {
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN,
        },
      };
    case 'rsa-pkcs1v15-sha256':
      return {
        ...crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
        keytype: 'rsa',
        padding: { padding: constants.RSA_PKCS1_PADDING },
      };
  }
}

function encoded(key: crypto.KeyObject): string {
  if (key.asymmetricKeyType !== 'ed25519') return key.export({ type: 'spki', format: 'pem' }).toString();
  return key.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
}

/** Which keys count as what they are called. */
import * as crypto from 'node:crypto';
import { expect, test } from 'vitest';
import { countSigners } from '#schema/tuf/verify';

interface Pair {
  readonly privateKey: crypto.KeyObject;
  readonly publicKey: crypto.KeyObject;
}
const BYTES = Buffer.from('signed');
const pem = ({ publicKey }: Pair): string => publicKey.export({ format: 'pem', type: 'spki' }).toString();

/** How many of the role's keys signed, where each of them did. */
function signers(
  keys: readonly { readonly pair: Pair; readonly keytype: string; readonly scheme: string }[],
): number {
  const ids = keys.map((_, index) => `key-${index}`);
  const known = keys.map(({ pair, keytype, scheme }) => ({ keytype, scheme, keyval: { public: pem(pair) } }));
  const signatures = keys.map(({ pair }, index) => ({
    keyid: ids[index] ?? '',
    sig: crypto.sign('sha256', BYTES, pair.privateKey).toString('hex'),
  }));
  const metadata = { signed: {}, signatures, signedBytes: BYTES };
  return countSigners(metadata, Object.fromEntries(known.map((key, index) => [ids[index], key])), {
    keyids: ids,
  });
}

test.each([
  ['prime256v1', 1],
  ['secp256k1', 0],
])('an ECDSA key of the curve %s', (namedCurve, count) => {
  const pair = crypto.generateKeyPairSync('ec', { namedCurve });
  expect(signers([{ pair, keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256' }])).toBe(count);
});

test.each([
  [2048, 1],
  [1024, 0],
])('an RSA key of %i bits', (modulusLength, count) => {
  const pair = crypto.generateKeyPairSync('rsa', { modulusLength });
  expect(signers([{ pair, keytype: 'rsa', scheme: 'rsa-pkcs1v15-sha256' }])).toBe(count);
});

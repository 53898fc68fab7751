/**
 * Private keys under a passphrase: scrypt makes a key of it, and NaCl's secretbox seals the seed with that. The
 * public half stays readable, so that a file tells whose it is.
 */
import * as crypto from 'node:crypto';
import { createRequire } from 'node:module';
import type nacl from 'tweetnacl';
import * as v from 'valibot';
import { canonicalJson } from './canonical-json.ts';
import { decode } from './decode.ts';
import { IcepkgError } from './error.ts';
import { keyFromSeed, PublicKeySchema, type PrivateKey, type PublicKey } from './keys.ts';

/** 128 MiB and about half a second for each guess. */
const COST = { n: 2 ** 17, r: 8, p: 1 } as const;
/** What a file may ask for at most, so that a strange one does not take the machine. */
const MOST_N = 2 ** 20;

const hex = (bytes: number) =>
  v.pipe(
    v.string(),
    v.regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `expected ${bytes} bytes in hexadecimal`),
  );
const whole = (least: number, most: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));

export const SealedKeySchema = v.strictObject({
  ...PublicKeySchema.entries,
  sealed: v.strictObject({
    format: v.literal(1),
    kdf: v.literal('scrypt'),
    n: v.pipe(
      whole(2 ** 14, MOST_N),
      v.check((n) => Number.isInteger(Math.log2(n)), 'expected a power of two'),
    ),
    r: v.literal(8),
    p: whole(1, 4),
    salt: hex(32),
    cipher: v.literal('nacl-secretbox'),
    nonce: hex(24),
    box: hex(48),
  }),
});
export type SealedKey = v.InferOutput<typeof SealedKeySchema>;

const loadNacl = (): typeof nacl => createRequire(import.meta.url)('tweetnacl') as typeof nacl;

/** Content of a `NAME.key` file that needs the passphrase. */
export function sealKey(key: PrivateKey, passphrase: string): Uint8Array {
  const salt = crypto.randomBytes(32);
  const nonce = crypto.randomBytes(24);
  const box = loadNacl().secretbox(bytes(key.seed), new Uint8Array(nonce), stretch(passphrase, salt, COST));
  const document: SealedKey = {
    ...key.public,
    sealed: {
      format: 1,
      kdf: 'scrypt',
      ...COST,
      salt: salt.toString('hex'),
      cipher: 'nacl-secretbox',
      nonce: nonce.toString('hex'),
      box: Buffer.from(box).toString('hex'),
    },
  };
  return canonicalJson(document);
}

export const isSealed = (document: unknown): boolean =>
  typeof document === 'object' && document !== null && 'sealed' in document;

/** The public half, for which no passphrase is needed. */
export function publicHalf(document: unknown, what: string): PublicKey {
  const { sealed: _, ...key } = decode(SealedKeySchema, document, what);
  return key;
}

/** @throws IcepkgError `usage` where it is another passphrase, `format-invalid` where the file is none */
export function openKey(document: unknown, passphrase: string, what: string): PrivateKey {
  const { sealed, keyval } = decode(SealedKeySchema, document, what);
  const secret = stretch(passphrase, Buffer.from(sealed.salt, 'hex'), sealed);
  const seed = loadNacl().secretbox.open(bytes(sealed.box), bytes(sealed.nonce), secret);
  if (seed === null) {
    throw new IcepkgError('usage', `${what}: the passphrase is not the one it was sealed with`, {
      hint: 'Try again; without its passphrase nobody can use the key',
    });
  }
  const key = keyFromSeed(seed);
  if (key.public.keyval.public === keyval.public) return key;
  throw new IcepkgError('format-invalid', `${what}: the public and the private half do not belong together`, {
    hint: 'Restore the file from a backup',
  });
}

function stretch(
  passphrase: string,
  salt: Uint8Array,
  { n, r, p }: { readonly n: number; readonly r: number; readonly p: number },
): Uint8Array {
  const cost = { N: n, r, p, maxmem: 256 * n * r };
  return new Uint8Array(crypto.scryptSync(passphrase.normalize('NFKC'), salt, 32, cost));
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

/** Key files: `NAME.key`, for the signer's eyes alone, perhaps under a passphrase, and `NAME.pub`, for everybody. */
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { parseJson } from '#schema/canonical-json';
import { IcepkgError, isErrno } from '#schema/error';
import {
  decodePrivateKey,
  decodePublicKey,
  encodePrivateKey,
  encodePublicKey,
  generateKey,
  keyId,
  type PrivateKey,
  type PublicKey,
} from '#schema/keys';
import { isSealed, openKey, publicHalf, sealKey } from '#schema/sealed-key';
import { doing, makeFolder, syncFolder, writeDurably } from './layout.ts';
import { newPassphrase, passphraseOf } from './passphrase.ts';

export interface KeyFiles {
  readonly keyid: string;
  readonly privateKey: string;
  readonly publicKey: string;
}

/**
 * Makes a key and writes `PREFIX.key` (mode 0600) and `PREFIX.pub`.
 * @param sealed whether a passphrase is asked for, without which nobody can use the key
 * @throws IcepkgError `usage` where one of them exists: a key is never overwritten
 */
export function generateKeyFiles(prefix: string, { sealed = false } = {}): KeyFiles {
  const base = prefix.replace(/\.(?:key|pub)$/, '');
  const files = { privateKey: `${base}.key`, publicKey: `${base}.pub` };
  for (const file of Object.values(files)) if (fs.existsSync(file)) throw taken(file);
  const key = generateKey();
  const secret = sealed ? sealKey(key, newPassphrase(files.privateKey)) : encodePrivateKey(key);
  doing(base, () => makeFolder(dirname(base)));
  writeNew(files.privateKey, secret, 0o600);
  writeNew(files.publicKey, encodePublicKey(key.public), 0o644);
  doing(base, () => syncFolder(dirname(base)));
  return { keyid: keyId(key.public), ...files };
}

function writeNew(file: string, bytes: Uint8Array, mode: number): void {
  doing(file, () => {
    try {
      const fd = fs.openSync(file, 'wx', mode);
      try {
        fs.writeFileSync(fd, bytes);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    } catch (error) {
      throw isErrno(error, 'EEXIST') ? taken(file, error) : error;
    }
  });
}

const taken = (file: string, cause?: unknown): IcepkgError =>
  new IcepkgError('usage', `${file} exists already`, {
    hint: 'Choose another name; a key that signed something must not be lost',
    cause,
  });

/** Puts a private key under a new passphrase, or takes it from under one. The file is replaced whole. */
export function protectKeyFile(
  file: string,
  { sealed }: { readonly sealed: boolean },
): { readonly keyid: string } {
  const key = readKeyFile(file);
  writeDurably(file, sealed ? sealKey(key, newPassphrase(file)) : encodePrivateKey(key), 0o600);
  return { keyid: keyId(key.public) };
}

export interface KeyDescription {
  readonly keyid: string;
  readonly public: PublicKey;
  /** What is in the file: the public half only, the private one as it is, or the private one under a passphrase. */
  readonly holds: 'public' | 'private' | 'sealed';
}

/** Tells whose key a file holds; asks for no passphrase. */
export function describeKeyFile(file: string): KeyDescription {
  const bytes = readKeyBytes(file);
  const document = parseJson(bytes, file);
  if (isSealed(document)) {
    const key = publicHalf(document, file);
    return { keyid: keyId(key), public: key, holds: 'sealed' };
  }
  const key = readAnyKey(file);
  return {
    keyid: keyId(key.public),
    public: key.public,
    holds: key.private === undefined ? 'public' : 'private',
  };
}

/** @throws IcepkgError `not-found`, `format-invalid` naming the file, or `usage` where its passphrase is missing or wrong */
export function readKeyFile(file: string): PrivateKey {
  const bytes = readKeyBytes(file);
  const document = parseJson(bytes, file);
  return isSealed(document) ? openKey(document, passphraseOf(file), file) : decodePrivateKey(bytes, file);
}

function readKeyBytes(file: string): Uint8Array {
  try {
    return fs.readFileSync(file);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR', 'EPERM')) throw cause;
    const code = isErrno(cause, 'ENOENT', 'ENOTDIR') ? 'not-found' : 'io-failed';
    throw new IcepkgError(code, `${file}: no key can be read there`, {
      hint: 'Make one with: icepkg key generate NAME',
      cause,
    });
  }
}

/** Reads a `.key` or a `.pub` file, told apart by what is in it. A key under a passphrase is opened. */
export function readAnyKey(file: string): {
  readonly public: PublicKey;
  readonly private: PrivateKey | undefined;
} {
  const bytes = readKeyBytes(file);
  const document = parseJson(bytes, file) as { readonly keyval?: { readonly private?: unknown } } | null;
  if (isSealed(document)) {
    const key = openKey(document, passphraseOf(file), file);
    return { public: key.public, private: key };
  }
  if (document?.keyval?.private === undefined)
    return { public: decodePublicKey(bytes, file), private: undefined };
  const key = decodePrivateKey(bytes, file);
  return { public: key.public, private: key };
}

/** Key files: `NAME.key`, for the signer's eyes alone, and `NAME.pub`, for everybody. */
import * as fs from 'node:fs';
import { dirname, resolve } from 'node:path';
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
import { doing, makeFolder, syncFolder } from './layout.ts';

export interface KeyFiles {
  readonly keyid: string;
  readonly privateKey: string;
  readonly publicKey: string;
}

/**
 * Makes a key and writes `PREFIX.key` (mode 0600) and `PREFIX.pub`.
 * @throws IcepkgError `usage` where one of them exists: a key is never overwritten
 */
export function generateKeyFiles(prefix: string): KeyFiles {
  const base = resolve(prefix.replace(/\.(?:key|pub)$/, ''));
  const files = { privateKey: `${base}.key`, publicKey: `${base}.pub` };
  for (const file of Object.values(files)) if (fs.existsSync(file)) throw taken(file);
  const key = generateKey();
  doing(base, () => makeFolder(dirname(base)));
  writeNew(files.privateKey, encodePrivateKey(key), 0o600);
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

/** @throws IcepkgError `not-found` or `format-invalid` naming the file */
export function readKeyFile(file: string): PrivateKey {
  return decodePrivateKey(readKeyBytes(file), file);
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

/** Reads a `.key` or a `.pub` file, told apart by what is in it. */
export function readAnyKey(file: string): {
  readonly public: PublicKey;
  readonly private: PrivateKey | undefined;
} {
  const bytes = readKeyBytes(file);
  const document = parseJson(bytes, file) as { readonly keyval?: { readonly private?: unknown } } | null;
  if (document?.keyval?.private === undefined)
    return { public: decodePublicKey(bytes, file), private: undefined };
  const key = decodePrivateKey(bytes, file);
  return { public: key.public, private: key };
}

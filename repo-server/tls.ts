/** The certificate of a server over HTTPS and its key: read, and held against each other before anybody sees them. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import * as fs from 'node:fs';
import { IcepkgError, isErrno } from '#schema/error';

export interface TlsFiles {
  /** PEM: the certificate of the server, then those between it and its authority. */
  readonly certificate: string;
  /** PEM, without a passphrase. */
  readonly key: string;
}

export interface TlsIdentity {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly expires: Date;
}

/**
 * @throws IcepkgError `not-found`, `io-failed` where a file cannot be read, `format-invalid` where one is not what it
 * should be, `usage` where they do not belong together
 */
export function readTlsIdentity({ certificate, key: keyFile }: TlsFiles): TlsIdentity {
  const [cert, key] = [readPem(certificate, 'certificate'), readPem(keyFile, 'key')];
  const server = parseCertificate(cert, certificate);
  if (!server.checkPrivateKey(parseKey(key, keyFile))) {
    throw new IcepkgError('usage', `the key ${keyFile} does not belong to the certificate ${certificate}`, {
      hint: 'The certificate of the server stands first in its file, those of authorities after it',
    });
  }
  return { cert, key, expires: new Date(server.validTo) };
}

function readPem(file: string, what: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'EIO')) throw cause;
    const { code } = cause;
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    throw new IcepkgError(
      missing ? 'not-found' : 'io-failed',
      `${file}: the ${what} ${missing ? 'is not there' : `cannot be read (${code})`}`,
      { hint: `Check the path and who may read it; the ${what} is a file in PEM`, cause },
    );
  }
}

function parseCertificate(pem: Buffer, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new IcepkgError('format-invalid', `${file}: holds no certificate in PEM`, {
      hint: 'It begins with -----BEGIN CERTIFICATE-----',
      cause,
    });
  }
}

function parseKey(pem: Buffer, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    const encrypted = isErrno(cause, 'ERR_MISSING_PASSPHRASE') || pem.includes('ENCRYPTED');
    throw new IcepkgError(
      'format-invalid',
      `${file}: ${encrypted ? 'the key is under a passphrase' : 'holds no private key in PEM'}`,
      {
        hint: encrypted
          ? 'Take it off: openssl pkey -in FILE -out PLAIN; only the server may read that file'
          : 'It begins with -----BEGIN PRIVATE KEY-----',
        cause,
      },
    );
  }
}

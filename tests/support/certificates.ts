/** Certificates of an authority of our own, by openssl. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const;

function openssl(folder: string, ...words: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', words, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${words.join(' ')}: ${stderr}`);
}

/** Makes `ca.pem` and `ca.key`. */
export function makeAuthority(folder: string): string {
  openssl(
    folder,
    'req',
    '-x509',
    ...KEY,
    '-subj',
    '/CN=own authority',
    '-days',
    '30',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  return join(folder, 'ca.pem');
}

/** Makes `NAME.pem` and `NAME.key` for 127.0.0.1, signed by the authority of the folder. */
export function makeCertificate(
  folder: string,
  name: string,
): { readonly certificate: string; readonly key: string } {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  openssl(folder, 'req', '-new', ...KEY, ...subject, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copyall'];
  openssl(folder, 'x509', '-req', '-in', `${name}.csr`, ...signer, '-days', '30', '-out', `${name}.pem`);
  return { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
}

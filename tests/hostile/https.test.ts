/** Mirrors over https: whom the client believes, and what it says of whom it does not. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { program } from '../cli/icepkg.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
let folder: string;
let depot: Depot;
const servers: Server[] = [];

function openssl(...words: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', words, { cwd: folder, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
}

const DAY = '20200101000000Z';

/** A certificate of our own authority. */
function certificate(name: string, host: string, expired: boolean): void {
  const request = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=${host}`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  openssl('req', '-new', ...key, ...request, '-out', `${name}.csr`);
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(join(folder, 'serial'), '01');
  writeFileSync(
    join(folder, 'ca.conf'),
    [
      '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.',
      'default_md=sha256\npolicy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n',
    ].join('\n'),
  );
  const time = expired ? ['-startdate', DAY, '-enddate', '20200102000000Z'] : ['-days', '30'];
  const signer = ['-cert', 'ca.pem', '-keyfile', 'ca.key', '-config', 'ca.conf', '-batch', '-notext'];
  openssl('ca', ...signer, ...time, '-in', `${name}.csr`, '-out', `${name}.pem`);
}

async function serve(name: string): Promise<string> {
  const server = createServer(
    { key: readFileSync(join(folder, `${name}.key`)), cert: readFileSync(join(folder, `${name}.pem`)) },
    (request, response) => {
      try {
        response.end(readFileSync(join(depot.repository, new URL(request.url ?? '/', 'https://x').pathname)));
      } catch {
        response.writeHead(404).end();
      }
    },
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  if (!hasOpenssl) return;
  folder = mkdtempSync(join(tmpdir(), 'icepkg-https-'));
  depot = await makeDepot();
  await depot.publish({ name: 'a', files: { 'usr/a': 'a' } });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key'];
  openssl('req', '-x509', ...key, '-subj', '/CN=own authority', '-days', '30', '-out', 'ca.pem');
});
afterAll(() => {
  for (const server of servers) server.close();
  if (!hasOpenssl) return;
  depot.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Refreshes from a mirror that shows this certificate. */
async function update(
  name: string,
  options: { readonly host?: string; readonly expired?: boolean; readonly trusted?: boolean } = {},
): Promise<{ readonly status: number | null; readonly told: string }> {
  const { host = 'IP:127.0.0.1', expired = false, trusted = true } = options;
  certificate(name, host, expired);
  const { root } = depot.root({ mirror: await serve(name) });
  writeFileSync(join(root, 'etc/icepkg/icepkg.toml'), '[network]\nattempts = 1\n');
  const child = spawn(process.execPath, program('update', '--root', root), {
    env: { ...process.env, ...(trusted ? { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') } : {}) },
  });
  let told = '';
  child.stdout.on('data', (text: Buffer) => (told += text.toString()));
  child.stderr.on('data', (text: Buffer) => (told += text.toString()));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, told };
}

describe.runIf(hasOpenssl)('a mirror over https', () => {
  test('with a certificate of an authority that is known is used', async () => {
    expect(await update('good')).toMatchObject({ status: 0 });
  });

  test.each([
    ['stranger', { trusted: false }, /certificate is of no authority that is known here/],
    ['elsewhere', { host: 'DNS:elsewhere.example' }, /certificate is for another host/],
    ['expired', { expired: true }, /certificate has expired/],
  ] as const)('with a certificate that is not right is not: %s', async (name, options, why) => {
    const { status, told } = await update(name, options);
    expect({ status, told }).toEqual({ status: 7, told: expect.stringMatching(why) as string });
    expect(told).toContain('hint: ');
    expect(told).not.toMatch(/^ {4}at /m);
  });
});

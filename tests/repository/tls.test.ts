/** Repositories over HTTPS: a client that knows the authority, a new certificate without a restart, files that are not right. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { openContext, type EngineContext } from '#engine/context';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { hasOpenssl, makeAuthority, makeCertificate } from '../support/certificates.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

describe.runIf(hasOpenssl)('over HTTPS', () => {
  let depot: Depot;
  let server: RepositoryServer;
  let authority: string;
  let tls: { readonly certificate: string; readonly key: string };
  beforeAll(async () => {
    depot = await makeDepot();
    await depot.publish({ name: 'zlib' });
    authority = makeAuthority(depot.folder);
    tls = makeCertificate(depot.folder, 'first');
    server = await serve(depot.repository, { tls, metricsPort: 0 });
  });
  afterAll(async () => {
    await server.close();
    depot.dispose();
  });

  /** A root whose configuration names the authority. */
  const rootKnowing = (file: string | undefined): EngineContext => {
    const { root } = depot.root({ mirror: server.url });
    if (file !== undefined) copyFileSync(file, join(root, 'etc/icepkg/trust/ca.pem'));
    writeFileSync(
      join(root, 'etc/icepkg/icepkg.toml'),
      '[network]\nattempts = 1\ncaFile = "etc/icepkg/trust/ca.pem"\n',
    );
    return openContext({ root, arch: 'x86_64', sync: false });
  };
  const shownName = (): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(server.url);
      const socket = connect({ host: hostname, port: Number(port), ca: readFileSync(authority) }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.end();
      }).on('error', reject);
    });

  test('a client that was told of the authority refreshes; one that was not, or wrongly, says why', async () => {
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(await loadIndexes(rootKnowing(authority), { refresh: 'force' })).toMatchObject([
      { record: { name: 'zlib' } },
    ]);
    const refresh = (root: EngineContext) => loadIndexes(root, { refresh: 'force' });
    await expect(refresh(depot.root({ mirror: server.url }))).rejects.toMatchObject({
      code: 'network-failed',
      message: expect.stringMatching(/no authority that is known here \(network\.caFile/) as string,
    });
    await expect(refresh(rootKnowing(undefined))).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringMatching(/ca\.pem: the file of further authorities cannot be read/) as string,
    });
    await expect(refresh(rootKnowing(tls.key))).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringMatching(/ca\.pem: holds no certificate/) as string,
    });
  });

  test('what comes from memory comes whole, also to a client that begins late', async () => {
    const bytes = randomBytes(1_500_000);
    const path = 'packages/x86_64/large-1.0.0-r0.x86_64.icepkg';
    writeFileSync(join(depot.repository, path), bytes);
    const { hostname, port } = new URL(server.url);
    const get = (pause: number): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const options = { hostname, port, path: `/${path}`, ca: readFileSync(authority), agent: false };
        request(options, (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part)).on('error', reject);
          response.on('end', () => resolve(Buffer.concat(parts)));
          response.pause();
          setTimeout(() => response.resume(), pause);
        })
          .on('error', reject)
          .end();
      });
    for (const pause of [0, 0, 0, 300]) expect((await get(pause)).equals(bytes)).toBe(true);
  });

  test('a reload shows the new certificate; one that is not right changes nothing', async () => {
    expect(await shownName()).toBe('first');
    const { metricsUrl } = server;
    expect(await (await fetch(`${metricsUrl}/metrics`)).text()).toMatch(
      /^icepkg_tls_certificate_expires_seconds \d{10}$/m,
    );
    const second = makeCertificate(depot.folder, 'second');
    renameSync(second.certificate, tls.certificate);
    await expect(server.reload()).rejects.toMatchObject({ code: 'usage' });
    expect(await shownName()).toBe('first');
    renameSync(second.key, tls.key);
    await server.reload();
    expect(await shownName()).toBe('second');
    expect(await loadIndexes(rootKnowing(authority), { refresh: 'force' })).toHaveLength(1);
  });

  test('files that are missing, no PEM, under a passphrase, unreadable or of each other strangers', async () => {
    const { certificate, key } = makeCertificate(depot.folder, 'third');
    const other = makeCertificate(depot.folder, 'fourth');
    const file = (name: string): string => join(depot.folder, name);
    writeFileSync(file('text.pem'), 'nothing of that kind\n');
    mkdirSync(file('folder.pem'));
    spawnSync('openssl', ['pkey', '-in', key, '-aes256', '-passout', 'pass:x', '-out', file('locked.key')]);
    const wrong: [{ certificate?: string; key?: string }, string, RegExp][] = [
      [{ certificate: file('gone.pem') }, 'not-found', /gone\.pem: the certificate is not there$/],
      [{ key: file('gone.key') }, 'not-found', /gone\.key: the key is not there$/],
      [
        { certificate: file('folder.pem') },
        'io-failed',
        /folder\.pem: the certificate cannot be read \(EISDIR\)$/,
      ],
      [{ certificate: file('text.pem') }, 'format-invalid', /text\.pem: holds no certificate in PEM$/],
      [{ certificate: key }, 'format-invalid', /third\.key: holds no certificate in PEM$/],
      [{ key: file('text.pem') }, 'format-invalid', /text\.pem: holds no private key in PEM$/],
      [{ key: file('locked.key') }, 'format-invalid', /locked\.key: the key is under a passphrase$/],
      [{ key: other.key }, 'usage', /fourth\.key does not belong to the certificate .*third\.pem$/],
    ];
    if (process.getuid?.() !== 0) {
      chmodSync(other.certificate, 0o000);
      wrong.push([{ certificate: other.certificate }, 'io-failed', /cannot be read \(EACCES\)$/]);
    }
    for (const [files, code, message] of wrong) {
      await expect(
        serve(depot.repository, { tls: { certificate, key, ...files } }),
        message.source,
      ).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    }
  });
});

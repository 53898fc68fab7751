/** Bills of materials and provenance that come with a package over the upload API: taken together, or nothing of it. */
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { create } from 'tar';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { readToken, uploadPackage } from '#pkgbuild/queue/upload';
import { publish } from '#repo-server/publish';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { createToken } from '#repo-server/tokens';
import { sha256 } from '#schema/digest';
import { sealEnvelope } from '#schema/dsse';
import { encodePublicKey, generateKey, type PrivateKey } from '#schema/keys';
import { BUILD_TYPE, BUILDER_ID, PAYLOAD_TYPE, PROVENANCE_TYPE, STATEMENT_TYPE } from '#schema/provenance';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let server: RepositoryServer;
let token: string;
beforeEach(async () => {
  depot = await makeDepot();
  fs.mkdirSync(join(depot.repository, '.icepkg/upload-keys'));
  fs.writeFileSync(
    join(depot.repository, '.icepkg/upload-keys/builder.pub'),
    encodePublicKey(depot.key.public),
  );
  ({ token } = await createToken(depot.repository, { name: 'builder', scopes: ['upload:stable'] }));
  server = await serve(depot.repository, { maxUpload: 1_000_000 });
});
afterEach(async () => {
  await server.close();
  depot.dispose();
});

const BILL = '{"spdxVersion":"SPDX-2.3","packages":[{},{}],"files":[{}]}';

interface Documented {
  readonly subject?: string;
  readonly bill?: string;
  readonly keys?: readonly PrivateKey[];
}

/** A package with a bill of materials and provenance beside it, as a build leaves them. */
async function documented({ subject, bill = BILL, keys = [depot.key] }: Documented = {}): Promise<string> {
  const [file = ''] = await depot.pack({ name: 'bash' });
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [{ digest: { sha256: subject ?? sha256(fs.readFileSync(file)) } }],
    predicateType: PROVENANCE_TYPE,
    predicate: {
      buildDefinition: { buildType: BUILD_TYPE, externalParameters: {} },
      runDetails: { builder: { id: BUILDER_ID }, byproducts: [{ digest: { sha256: sha256(bill) } }] },
    },
  };
  fs.writeFileSync(`${file}.spdx.json`, BILL);
  fs.writeFileSync(
    `${file}.intoto.jsonl`,
    sealEnvelope(PAYLOAD_TYPE, Buffer.from(JSON.stringify(statement)), keys),
  );
  return file;
}

async function tarOf(file: string, ...suffixes: readonly string[]): Promise<Buffer> {
  const names = suffixes.map((suffix) => `${basename(file)}${suffix}`);
  const archive = join(depot.folder, 'upload.tar');
  await create({ cwd: join(file, '..'), file: archive }, names);
  return fs.readFileSync(archive);
}

const post = (body: Uint8Array<ArrayBuffer> | ReadableStream): Promise<Response> =>
  fetch(`${server.url}/api/v1/packages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-tar' },
    body,
    duplex: 'half',
  });

test('what a build left beside a package is published with it, and the page shows it', async () => {
  fs.writeFileSync(join(depot.folder, 'token'), `${token}\n`);
  const target = { url: server.url, token: readToken(join(depot.folder, 'token')), channel: 'stable' };
  const file = await documented();
  await uploadPackage(target, file);
  // The same bytes again are no change.
  await uploadPackage(target, file);
  await publish(depot.repository, { keys: [depot.key] });
  const [found] = await loadIndexes(depot.root({ mirror: server.url }), { refresh: 'force' });
  expect(found?.record.documents).toMatchObject([
    { type: 'spdx-2.3', sha256: sha256(BILL) },
    { type: 'provenance' },
  ]);
  for (const { path, sha256: digest } of found?.record.documents ?? [])
    expect(sha256(Buffer.from(await (await fetch(`${server.url}/${path}`)).arrayBuffer()))).toBe(digest);
  const page = await (await fetch(`${server.url}/package/bash`)).text();
  expect(page).toContain('lists 2 components and 1 file');
  expect(page).toContain(`Built by <code>${BUILDER_ID}</code>`);
  expect(fs.readdirSync(join(depot.repository, '.icepkg/incoming'))).toEqual([]);
});

test('documents of another package, of strangers, or that nobody vouches for are refused with the package', async () => {
  const pool = join(depot.repository, '.icepkg/pool.json');
  const all = ['', '.spdx.json', '.intoto.jsonl'];
  const refused: [Buffer, RegExp][] = [
    [await tarOf(await documented({ subject: sha256('x') }), ...all), /\.intoto\.jsonl: says how another/],
    [await tarOf(await documented({ keys: [generateKey()] }), ...all), /none of the trusted keys signed it/],
    [await tarOf(await documented({ bill: 'other' }), ...all), /\.spdx\.json: no provenance that is signed/],
    [await tarOf(await documented(), '', '.spdx.json'), /\.spdx\.json: no provenance that is signed/],
    [await tarOf(await documented(), '.spdx.json', ''), /no tar of a package and its documents/],
    [await tarOf(await documented(), '', '.spdx.json', '.spdx.json'), /no tar of a package/],
    [(await tarOf(await documented(), ...all)).subarray(0, 700), /no tar of a package/],
    [Buffer.from('28b52ffd00'.repeat(300), 'hex'), /no tar of a package/],
    [Buffer.from('nonsense'), /no tar of a package/],
    [Buffer.alloc(0), /no tar of a package/],
  ];
  for (const [body, message] of refused) {
    const answer = await post(new Uint8Array(body));
    const text = await answer.text();
    expect([answer.status, text]).toEqual([422, expect.stringMatching(message)]);
    expect(text).not.toContain(depot.folder);
  }
  expect(fs.existsSync(pool)).toBe(false);
  expect(fs.readdirSync(join(depot.repository, '.icepkg/incoming'))).toEqual([]);
});

test('a name that climbs and a link in the tar are refused', async () => {
  const file = await documented();
  const stranger = join(depot.folder, 'stranger.icepkg');
  fs.symlinkSync('/etc/passwd', stranger);
  expect((await post(new Uint8Array(await tarOf(stranger, '')))).status).toBe(422);
  const climbing = await tarOf(file, '');
  // The checksum of the header is that of its bytes with blanks in its place.
  climbing.write(`../${basename(file)}`, 0, 'latin1');
  climbing.fill(' ', 148, 156);
  const sum = climbing.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  climbing.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  expect((await post(new Uint8Array(climbing))).status).toBe(422);
  expect(fs.existsSync(join(depot.repository, '.icepkg/pool.json'))).toBe(false);
});

test('a tar that is larger than the operator takes is refused', async () => {
  const [large = ''] = await depot.pack({
    name: 'large',
    files: { x: [...Array(300_000).keys()].map((n) => Math.sin(n)).join('') },
  });
  const answer = await post(new Blob([new Uint8Array(await tarOf(large, ''))]).stream());
  expect([answer.status, await answer.json()]).toMatchObject([413, { error: { code: 'too-large' } }]);
  expect(fs.readdirSync(join(depot.repository, '.icepkg/incoming'))).toEqual([]);
});

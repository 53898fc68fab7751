/** The pages of a served repository, over HTTP. */
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addPackages } from '#repo-server/add';
import { readRepositoryConfig, writeRepositoryConfig } from '#repo-server/config';
import { publish } from '#repo-server/publish';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { sha256 } from '#schema/digest';
import { sealEnvelope } from '#schema/dsse';
import { keyId } from '#schema/keys';
import { PAYLOAD_TYPE, PROVENANCE_TYPE, STATEMENT_TYPE } from '#schema/provenance';
import { makeDepot, type Depot } from '../support/repository.ts';

const FeedSchema = v.object({ items: v.array(v.object({ title: v.string(), url: v.string() })) });

let depot: Depot;
let server: RepositoryServer;
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish(
    {
      name: 'zlib',
      version: '1.2.0-r0',
      description: 'Compression library',
      license: 'Zlib',
      url: 'https://zlib.net/',
      provides: ['so:libz.so.1'],
      files: { 'usr/lib/libz.so.1': 'code' },
    },
    {
      name: 'evil',
      description: `<script>alert(1)</script> "quoted" & 'single'`,
      url: 'javascript:alert(1)',
      license: '"><img src=x onerror=alert(1)>',
      provides: ['cmd:<b>bold</b>'],
      depends: ['so:libz.so.1', 'cmd:missing"><i>'],
    },
  );
  await depot.publish({
    name: 'zlib',
    version: '1.3.0-r0',
    description: 'Compression library',
    provides: ['so:libz.so.1'],
    files: { 'usr/lib/libz.so.1': 'more code' },
  });
  server = await serve(depot.repository);
});
afterAll(async () => {
  await server.close();
  depot.dispose();
});

const ask = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(server.url + path, { headers });
const text = async (path: string): Promise<string> => (await ask(path)).text();

test('the first page tells what the repository is and what is new in it', async () => {
  const answer = await ask('/');
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const body = await answer.text();
  expect(body).toContain('<h1>main</h1>');
  expect(body).toContain('2 packages for x86_64');
  expect(body.indexOf('1.3.0-r0')).toBeLessThan(body.indexOf('href="./package/evil"'));
  expect(await text('/index.html')).toBe(body);
});

describe('searching', () => {
  test.each([
    ['q=compress', ['zlib']],
    ['q=ZLIB', ['zlib']],
    ['q=libz.so', ['zlib']],
    ['q=zlib+nothing', []],
    ['q=', ['evil', 'zlib']],
    ['needs=zlib', ['evil']],
    ['needs=so:libz.so.1', ['evil']],
  ])('%s', async (query, names) => {
    const body = await text(`/search?${query}`);
    const found = [...body.matchAll(/<li><a href="\.\/package\/([^"]+)">/g)].map(([, name]) => name);
    expect(found).toEqual(names);
    expect(body).toContain(`<p class="soft" data-count>${names.length} package`);
  });
});

test('a package has all its versions, what it needs and what needs it', async () => {
  const zlib = await text('/package/zlib?version=1.2.0-r0');
  for (const part of ['1.2.0-r0</a>', '1.3.0-r0</a>', 'icepkg install zlib', 'href="https://zlib.net/"'])
    expect(zlib).toContain(part);
  expect(zlib).toContain('href="../packages/x86_64/zlib-1.2.0-r0.x86_64.icepkg"');
  const file = await ask('/packages/x86_64/zlib-1.2.0-r0.x86_64.icepkg');
  expect(file.status).toBe(200);
  await file.arrayBuffer();
});

test('what packages say of themselves is text only', async () => {
  for (const path of ['/package/evil', '/search?q=evil', '/', '/search?q=%3Cscript%3E%22%27'])
    expect(await text(path)).not.toMatch(/<script>|<img|<b>|<i>|href="javascript:|value="[^"]*"'/);
  const evil = await text('/package/evil');
  expect(evil).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &quot;quoted&quot; &amp; &#39;single&#39;');
  expect(evil).toContain('<dd>javascript:alert(1)</dd>');
  expect(evil).toContain('nothing here provides it');
});

test('the sizes of all versions are a picture, which says in words what it shows', async () => {
  const zlib = await text('/package/zlib');
  expect(zlib).toMatch(
    /<svg class="chart"[^>]* role="img" aria-label="From 1\.2\.0-r0 to 1\.3\.0-r0 for x86_64: /,
  );
  expect(await text('/package/evil')).not.toContain('<svg');
});

test('documents beside a package are linked, and what they say is summed up', async () => {
  const [made = ''] = await depot.pack({ name: 'documented' });
  const bill = { spdxVersion: 'SPDX-2.3', packages: [{}, {}], files: [{}] };
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [{ digest: { sha256: sha256(readFileSync(made)) } }],
    predicateType: PROVENANCE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: 'urn:x',
        externalParameters: {},
        resolvedDependencies: [
          { name: 'source.tar', uri: 'https://example.org/source.tar', annotations: { kind: 'source' } },
          { name: 'bad', uri: 'javascript:alert(1)', annotations: { kind: 'source' } },
        ],
      },
      runDetails: { builder: { id: 'urn:<builder>' } },
    },
  };
  writeFileSync(`${made}.spdx.json`, JSON.stringify(bill));
  const payload = Buffer.from(JSON.stringify(statement));
  writeFileSync(`${made}.intoto.jsonl`, sealEnvelope(PAYLOAD_TYPE, payload, []));
  await addPackages(depot.repository, [made]);
  await publish(depot.repository, { keys: [depot.key] });
  const page = await text('/package/documented');
  expect(page).toContain('lists 2 components and 1 file.');
  expect(page).toContain('Built by <code>urn:&lt;builder&gt;</code>');
  expect(page).toContain(
    '<a href="https://example.org/source.tar" rel="noreferrer nofollow">source.tar</a>, bad',
  );
  expect(page).toContain('href="../packages/x86_64/documented-1.0.0-r0.x86_64.icepkg.spdx.json"');
});

describe('files', () => {
  test.each([
    ['libz', 1],
    ['/usr/lib/', 1],
    ['/', 1],
    ['/libz', 0],
    ['LIBZ', 0],
    ['usr/lib', 1],
  ])('%s', async (path, count) => {
    const body = await text(`/files?path=${path}`);
    expect(body).toContain(`class="soft">${count} file`);
    if (count > 0) expect(body).toContain('<span class="path">/usr/lib/libz.so.1</span>');
  });

  test('are listed with their package', async () => {
    const body = await text('/package/zlib/files?version=1.2.0-r0');
    for (const part of ['/usr/lib</span>', 'directory', '0644', '4 B']) expect(body).toContain(part);
    expect((await ask('/package/nothing/files')).status).toBe(404);
  });
});

test('the picture of dependencies has a list that says the same', async () => {
  const body = await text('/package/evil/graph');
  expect(body).toContain('<svg class="graph"');
  expect(body).toMatch(/<a href="[^"]*package\/evil">evil<\/a> needs <a href="[^"]*package\/zlib">zlib<\/a>/);
});

test('snapshots are listed, and two of them compared', async () => {
  const list = await text('/snapshots');
  expect(list).toContain('Snapshot 2</a>');
  const body = await text('/difference?from=1&to=2');
  expect(body).toMatch(/zlib<\/a><\/td>.*newer.*1\.2\.0-r0.*1\.3\.0-r0/);
  expect(await text('/snapshots/2')).toContain('From snapshot 1 to 2');
  const many = ['a', 'b', 'c'].map((more) => text(`/difference?from=1&to=2&${more}`));
  expect(new Set(await Promise.all(many))).toEqual(new Set([body]));
  for (const path of ['/snapshots/99', '/difference', '/difference?from=1&to=x'])
    expect([path, (await ask(path)).status]).toEqual([path, 404]);
});

test('the keys and their lifetimes are shown, and what is amiss', async () => {
  const body = await text('/trust');
  expect(body).toContain(keyId(depot.key.public));
  expect(body).toContain('none expires soon');
  const config = readRepositoryConfig(depot.repository);
  writeRepositoryConfig(depot.repository, {
    ...config,
    expiryDays: { ...config.expiryDays, timestamp: 1000 },
  });
  expect(await text('/trust')).toContain('timestamp expires in 30 days and should be signed anew');
  writeRepositoryConfig(depot.repository, config);
});

test('feeds tell what came last', async () => {
  const atom = await ask('/feed.atom');
  expect(atom.headers.get('content-type')).toBe('application/atom+xml; charset=utf-8');
  const xml = await atom.text();
  expect(xml).toContain(`<link href="${server.url}/package/zlib?version=1.3.0-r0&amp;arch=x86_64"/>`);
  expect(xml).toContain('&lt;script&gt;');
  const feed = v.parse(FeedSchema, await (await ask('/feed.json')).json());
  expect(feed.items.map(({ title }) => title)).toContain('evil 1.0.0-r0 for x86_64');
  expect(feed.items.length).toBeLessThanOrEqual(50);
  const strange = await fetch(`${server.url}/feed.json?again`, { headers: { 'X-Forwarded-Proto': 'https' } });
  expect(v.parse(FeedSchema, await strange.json()).items[0]?.url).toMatch(/^https:\/\/127\.0\.0\.1:/);
  for (const host of ['999.999.999.999', 'a:99999', 'a/b"<c>'])
    expect([host, await firstLink(host)]).toEqual([host, expect.stringMatching(/^\.\/package\//)]);
});

/** Of the feed as it is for who knows the server by another name; `fetch` would not say so. */
async function firstLink(host: string): Promise<string | undefined> {
  const [answer] = await once(request(`${server.url}/feed.json`, { headers: { host } }).end(), 'response');
  return v.parse(FeedSchema, await json(answer)).items[0]?.url;
}

test('each channel has its own pages', async () => {
  await addPackages(depot.repository, await depot.pack({ name: 'trial' }), { channel: 'beta' });
  await publish(depot.repository, { keys: [depot.key], channel: 'beta' });
  expect((await ask('/package/trial')).status).toBe(404);
  const body = await text('/package/trial?channel=beta');
  expect(body).toContain('<option selected>beta</option>');
  expect(body).toContain('href="../snapshots?channel=beta"');
  expect(await text('/feed.atom?channel=beta')).toContain('trial 1.0.0-r0');
});

test('several repositories have their pages below their names', async () => {
  const other = await makeDepot();
  writeRepositoryConfig(other.repository, { ...readRepositoryConfig(other.repository), name: 'other' });
  await other.publish({ name: 'elsewhere' });
  const both = await serve([depot.repository, other.repository]);
  try {
    const ask = (path: string): Promise<Response> => fetch(both.url + path, { redirect: 'manual' });
    expect(await (await ask('/')).text()).toContain('<a href="other/">other</a>');
    const short = await ask('/other');
    expect([short.status, short.headers.get('location')]).toEqual([308, 'other/']);
    expect(await (await ask('/other/')).text()).toContain('href="./package/elsewhere"');
    expect((await ask('/main/package/elsewhere')).status).toBe(404);
    expect(await (await ask('/other/feed.atom')).text()).toContain(`${both.url}/other/package/elsewhere`);
  } finally {
    await both.close();
    other.dispose();
  }
});

test('a damaged index is told of, and the rest is shown', async () => {
  const broken = await makeDepot();
  await broken.publish({ name: 'good' });
  await broken.publish({ name: 'bad', arch: 'aarch64' });
  const folder = join(broken.repository, 'targets/index/aarch64');
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), 'x');
  const of = await serve(broken.repository);
  try {
    const body = await (await fetch(`${of.url}/search`)).text();
    expect(body).toContain('A part of the index cannot be read');
    expect(body).toContain('package/good');
  } finally {
    await of.close();
    broken.dispose();
  }
});

test('a channel that cannot be read does not take the others with it', async () => {
  const two = await makeDepot();
  await two.publish({ name: 'good' });
  await addPackages(two.repository, await two.pack({ name: 'trial' }), { channel: 'beta' });
  await publish(two.repository, { keys: [two.key], channel: 'beta' });
  writeFileSync(join(two.repository, 'channels/beta/metadata/timestamp.json'), '{');
  const of = await serve(two.repository);
  try {
    const body = await (await fetch(`${of.url}/`)).text();
    expect(body).toContain('The channel beta cannot be read');
    expect(body).toContain('package/good');
  } finally {
    await of.close();
    two.dispose();
  }
});

test('a cache shows what its upstream has, before anybody asked for a package', async () => {
  const trustedRoot = readFileSync(depot.trustedRoot);
  const cache = { from: depot.repository, trustedRoot, channels: ['stable'], size: 1e9 };
  const near = await serve(join(depot.folder, 'near'), { cache });
  try {
    const body = await (await fetch(`${near.url}/search?q=zlib`)).text();
    expect(body).toContain('package/zlib');
    expect(body).not.toContain('To look after');
  } finally {
    await near.close();
  }
});

test('no request makes an answer without bounds, or one that is not escaped', async () => {
  const long = 'x'.repeat(8000);
  for (const path of [
    `/search?q=${long}`,
    `/files?path=${long}`,
    `/search?needs=${long}`,
    `/package/zlib?version=${long}&page=999999999999`,
    '/search?page=-1&q=%00%ff%22%3E%3Cb%3E',
    '/files?path=%22%3E%3Cb%3E%0A',
    '/search?q=a&q=b&channel=',
    '/difference?from=1e9&to=2&page=1e9',
  ]) {
    const answer = await ask(path);
    const body = await answer.text();
    expect([path.slice(0, 40), answer.status]).toEqual([path.slice(0, 40), expect.toBeOneOf([200, 404])]);
    expect(body.length).toBeLessThan(20_000);
    expect(body).not.toContain('<b>');
  }
  expect((await fetch(`${server.url}/search`, { method: 'POST', body: 'q=x' })).status).toBe(405);
});

test('what is not there is 404 and says what was meant', async () => {
  const missing = await ask('/package/zlob');
  expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining('package/zlib')]);
  for (const path of ['/package/%00', '/package/a/b', '/web/style.css', '/?channel=nightly'])
    expect([path, (await ask(path)).status]).toEqual([path, 404]);
});

test('pages are kept until something changes, small on the way, and let nothing in from elsewhere', async () => {
  const first = await ask('/search');
  const etag = first.headers.get('etag') ?? '';
  expect((await ask('/search', { 'If-None-Match': etag })).status).toBe(304);
  expect((await ask('/search', { 'If-None-Match': 'W/"other"' })).status).toBe(200);
  for (const coding of ['br', 'gzip'])
    expect((await ask('/search', { 'Accept-Encoding': coding })).headers.get('content-encoding')).toBe(
      coding,
    );
  for (const none of ['identity', 'br;q=0, gzip;q=0.0'])
    expect((await ask('/search', { 'Accept-Encoding': none })).headers.get('content-encoding')).toBe(null);
  const policy = first.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
  const body = await first.text();
  expect(body).not.toMatch(/<style|style="|<script>|\son\w+=/);
  for (const [, path] of body.matchAll(/(?:href|src)="\.(\/web\/[^"]+)"/g)) {
    const asset = await ask(path ?? '');
    expect([asset.status, asset.headers.get('cache-control')]).toEqual([
      200,
      expect.stringContaining('immutable'),
    ]);
  }
  await depot.publish({ name: 'later' });
  expect((await ask('/search', { 'If-None-Match': etag })).status).toBe(200);
  expect(await text('/search?q=later')).toContain('package/later');
});

test('without pages, files are served as ever', async () => {
  const plain = await serve(depot.repository, { web: false });
  try {
    expect((await fetch(plain.url)).status).toBe(400);
    expect((await fetch(`${plain.url}/package/zlib`)).status).toBe(404);
    expect((await fetch(`${plain.url}/repository.json`)).status).toBe(200);
  } finally {
    await plain.close();
  }
});

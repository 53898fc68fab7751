/** The pages of a served repository, over HTTP. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { makeDepot, type Depot } from '../support/repository.ts';

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
    expect(body).toContain(`<p role="status" class="soft">${names.length} package`);
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

test('what is not there is 404 and says what was meant', async () => {
  const missing = await ask('/package/zlob');
  expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining('package/zlib')]);
  for (const path of ['/package/%00', '/package/a/b', '/web/style.css', '/?channel=beta'])
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

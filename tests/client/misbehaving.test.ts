/** Servers that misbehave in every way we know of; each ends in a clear error and leaves no file behind. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { download } from '#engine/client/download';
import { folderTransport } from '#engine/client/folder';
import { httpTransport } from '#engine/client/http';
import { getBytes } from '#engine/client/transport';
import { withMirrors, type ClientContext } from '#engine/client/mirrors';

const CONTENT = Buffer.from('package content '.repeat(4000));
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');
const network = { parallel: 4, attempts: 3, timeout: 1, minimumRate: 1000, maxAge: 0 };
let directory: string;
let servers: Server[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'icepkg-client-'));
  servers = [];
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(directory, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const wanted = () => ({
  path: 'a.icepkg',
  size: CONTENT.length,
  sha256: SHA256,
  file: join(directory, 'a.icepkg'),
});

async function fetchFrom(...addresses: string[]): Promise<void> {
  const context = {
    config: { network },
    offline: false,
    onProgress: () => undefined,
  } as unknown as ClientContext;
  const mirrors = addresses.map((address) => httpTransport(address, network));
  try {
    await withMirrors(context, mirrors, 'a', (mirror) => download(mirror, wanted()));
  } finally {
    for (const mirror of mirrors) mirror.close();
  }
}

const fails = async (listener: RequestListener, message: RegExp): Promise<void> => {
  const base = await serve(listener);
  const error: unknown = await fetchFrom(base).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'IcepkgError', hint: expect.any(String) });
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).toContain(`${base}/`);
  expect(existsSync(wanted().file)).toBe(false);
};

const honest: RequestListener = (request, response) => {
  const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (offset === 0) return response.end(CONTENT);
  response.writeHead(206, { 'content-range': `bytes ${offset}-${CONTENT.length - 1}/${CONTENT.length}` });
  return response.end(CONTENT.subarray(offset));
};

test('an honest server', async () => {
  await fetchFrom(await serve(honest));
  expect(readFileSync(wanted().file)).toEqual(CONTENT);
});

test('a web page instead of the file', () =>
  fails(
    (_, response) => response.setHeader('content-type', 'text/html; charset=utf-8').end('<html>'),
    /web page/,
  ));
test('a file that is too long', () =>
  fails((_, response) => response.end(Buffer.concat([CONTENT, CONTENT])), /bytes long/));
test('a file that is too short', () =>
  fails((_, response) => response.end(CONTENT.subarray(9)), /bytes long/));
test('other content of the same length', () =>
  fails((_, response) => response.end(Buffer.alloc(CONTENT.length)), /sha256/));
test('no such file', () => fails((_, response) => response.writeHead(404).end(), /not found/));
test('a server in trouble', () => fails((_, response) => response.writeHead(503).end(), /answers 503/));
test('redirects without end', () =>
  fails((_, response) => response.writeHead(302, { location: '/again' }).end(), /redirects/));
test('a redirect to a file', () =>
  fails(
    (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    /no web address/,
  ));
test('compressed content nobody asked for', () =>
  fails((_, response) => response.setHeader('content-encoding', 'gzip').end('x'), /gzip/));

test('endless data', () =>
  fails((_, response) => {
    const more = (): void => {
      while (response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', more);
    more();
  }, /longer than/));

test('a server that never answers', () => fails(() => undefined, /no answer within/), 20_000);

test(
  'a dripping server',
  () =>
    fails((_, response) => {
      response.writeHead(200, { 'content-length': CONTENT.length });
      const timer = setInterval(() => response.write('x'), 100);
      response.on('close', () => clearInterval(timer));
    }, /slower than/),
  20_000,
);

test('a connection lost half way is resumed', async () => {
  let requests = 0;
  const base = await serve((request, response) => {
    if (requests++ > 0) return honest(request, response);
    response.writeHead(200, { 'content-length': CONTENT.length });
    return response.write(CONTENT.subarray(0, 20_000), () => response.destroy());
  });
  await fetchFrom(base);
  expect(readFileSync(wanted().file)).toEqual(CONTENT);
});

test('a part of another file is thrown away', async () => {
  writeFileSync(`${wanted().file}.part`, Buffer.alloc(5000, 'z'));
  await fetchFrom(await serve(honest));
  expect(readFileSync(wanted().file)).toEqual(CONTENT);
});

test('a wrong range is not believed', async () => {
  writeFileSync(`${wanted().file}.part`, CONTENT.subarray(0, 5000));
  const base = await serve((request, response) => {
    if (request.headers.range === undefined) return response.end(CONTENT);
    response.writeHead(206, { 'content-range': `bytes 0-${CONTENT.length - 1}/${CONTENT.length}` });
    return response.end(CONTENT);
  });
  await fetchFrom(base);
  expect(readFileSync(wanted().file)).toEqual(CONTENT);
});

test('the next mirror steps in', async () => {
  const broken = await serve((_, response) => response.end('nonsense'));
  await fetchFrom(broken, await serve(honest));
  expect(readFileSync(wanted().file)).toEqual(CONTENT);
});

test('a busy server is asked again after the pause that it names', async () => {
  let requests = 0;
  const base = await serve((request, response) =>
    requests++ === 0
      ? response.writeHead(429, { 'retry-after': new Date().toUTCString() }).end()
      : honest(request, response),
  );
  await fetchFrom(base);
  expect(requests).toBe(2);
});

test('a server that wants to be left alone for long is, and the next mirror steps in', async () => {
  let requests = 0;
  const busy: RequestListener = (_, response) => {
    requests++;
    response.writeHead(503, { 'retry-after': '86400' }).end();
  };
  await fetchFrom(await serve(busy), await serve(honest));
  expect(requests).toBe(1);
  rmSync(wanted().file);
  await fails(busy, /answers 503 and asks to wait 86400 seconds/);
});

test('connections are kept, also after an answer that was refused', async () => {
  let connections = 0;
  const base = await serve((request, response) =>
    request.url === '/page'
      ? response.setHeader('content-type', 'text/html').end(Buffer.alloc(1_000_000))
      : response.end('ok'),
  );
  servers[0]?.on('connection', () => connections++);
  const transport = httpTransport(base, { timeout: 30, minimumRate: 1 });
  await expect(getBytes(transport, 'page', 100)).rejects.toThrow(/web page/);
  for (let i = 0; i < 20; i++) await getBytes(transport, 'file', 100);
  transport.close();
  expect(connections).toBeLessThanOrEqual(8);
});

test('what is no HTTP is called so', async () => {
  const base = await serve((request) => request.socket.end('nonsense\r\n\r\n'));
  const transport = httpTransport(base, { timeout: 30, minimumRate: 1 });
  await expect(getBytes(transport, 'file', 100)).rejects.toThrow(/HTTP\/1.1 protocol/);
  transport.close();
});

test('the password of an address is sent to the server and kept from messages', async () => {
  let login: string | undefined;
  const base = await serve((request, response) => {
    login = request.headers.authorization;
    response.writeHead(400).end();
  });
  const transport = httpTransport(base.replace('//', '//user:se%20cret@'), { timeout: 30, minimumRate: 1 });
  await expect(getBytes(transport, 'file', 100)).rejects.toThrow(`${base}/file: the server answers 400`);
  transport.close();
  expect(login).toBe(`Basic ${Buffer.from('user:se cret').toString('base64')}`);
});

test('a folder serves what is inside it only', async () => {
  writeFileSync(join(directory, 'file'), 'inside');
  const folder = folderTransport(directory);
  await expect(getBytes(folder, 'file', 100)).resolves.toEqual(Buffer.from('inside'));
  await expect(getBytes(folder, 'absent', 100)).resolves.toBeUndefined();
  await expect(getBytes(folder, 'file', 3)).rejects.toMatchObject({ code: 'network-failed' });
  expect(() => folder.addressOf('%2e%2e/passwd')).toThrow(/outside/);
});

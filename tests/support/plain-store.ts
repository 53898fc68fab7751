/** An object store that keeps everything in memory and looks at no signature. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openStore, type ObjectStore } from '#repo-server/object-store/s3';

/** Of one bucket, `bucket`, on loopback; it listens soon. Where it is not `conditional` it takes every write. */
export function plainStore(objects: Map<string, Buffer>, { conditional = false } = {}): Server {
  const tag = (bytes: Buffer): string => `"${createHash('md5').update(bytes).digest('hex')}"`;
  const entry = ([key, bytes]: [string, Buffer]): string =>
    `<Contents><Key>${encodeURIComponent(key)}</Key><ETag>${tag(bytes)}</ETag><Size>${bytes.length}</Size></Contents>`;
  return createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '', 'http://store');
    const key = decodeURIComponent(pathname.slice('/bucket/'.length));
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (request.method === 'PUT') {
        const there = objects.get(key);
        const { 'if-match': match, 'if-none-match': none } = request.headers;
        const refused = none === undefined ? match !== undefined && match !== (there && tag(there)) : there;
        if (conditional && refused) return response.writeHead(412).end();
        objects.set(key, Buffer.concat(parts));
        return response.end();
      }
      const found = objects.get(key);
      if (request.method === 'DELETE') {
        objects.delete(key);
        return response.writeHead(204).end();
      }
      const prefix = new URLSearchParams(search).get('prefix');
      if (prefix !== null)
        response.end(
          [...objects]
            .filter(([name]) => name.startsWith(prefix))
            .map(entry)
            .join(''),
        );
      else if (found === undefined) response.writeHead(404).end();
      else response.writeHead(200, { etag: tag(found) }).end(found);
      return undefined;
    });
  }).listen(0, '127.0.0.1');
}

export interface PlainStore {
  /** What it holds, by key. */
  readonly objects: Map<string, Buffer>;
  readonly address: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A client of its own. */
  readonly open: () => ObjectStore;
  readonly stop: () => void;
}

/** An empty one that listens. */
export async function startPlainStore({ conditional = false } = {}): Promise<PlainStore> {
  const objects = new Map<string, Buffer>();
  const server = plainStore(objects, { conditional });
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const environment = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_ENDPOINT_URL: address };
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return {
    objects,
    address,
    environment,
    open: () => openStore('s3://bucket', environment, { conditional }),
    stop,
  };
}

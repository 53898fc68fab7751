/** An object store that keeps everything in memory and looks at no signature. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';

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
